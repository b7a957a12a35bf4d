# The images of an installation, for those who have a registry to pull the two images
# below from and to push to. Each program is a target; Marina is the last one and so
# what is built without --target:
#   docker build -t REGISTRY/marina:VERSION --build-arg VERSION=VERSION .
#   docker build -t REGISTRY/kube-apiserver:v1.37.1 --target kube-apiserver --build-arg MINOR=1.37 .
# CoreDNS needs BuildKit, which keeps what a file is capable of.
# "make images" builds the same without a registry and without an engine.
FROM golang:1.26 AS source
WORKDIR /src
COPY . .

FROM source AS kubernetes
ARG MINOR=1.37
RUN hack/build.sh kubernetes ${MINOR} kube-apiserver kube-controller-manager kube-scheduler kube-proxy \
    && mkdir /out && cp -L bin/kubernetes/*/* /out/

# CoreDNS listens on port 53 and is not root.
FROM source AS others
RUN apt-get update && apt-get install -y --no-install-recommends libcap2-bin && rm -rf /var/lib/apt/lists/*
RUN hack/build.sh etcd && hack/build.sh coredns && hack/build.sh module konnectivity && hack/build.sh pause 1.37 \
    && mkdir /out && cp -L bin/etcd/*/* bin/coredns/*/* bin/pause/*/* /out/ \
    && cp -L bin/konnectivity/*/server /out/konnectivity-server && cp -L bin/konnectivity/*/agent /out/konnectivity-agent \
    && setcap cap_net_bind_service=+ep /out/coredns

FROM source AS build
ARG VERSION=dev
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false \
    -ldflags "-s -w -X github.com/marina-dev/marina/cmd/marina/cli/buildinfo.version=${VERSION}" \
    -o /marina ./cmd/marina \
    && CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w" -o /launcher ./hack/images/launcher

# What a static program wants to find.
FROM source AS files
RUN mkdir -p /base/etc/ssl/certs && install -d -m 1777 /base/tmp && cp /etc/ssl/certs/ca-certificates.crt /base/etc/ssl/certs/ \
    && printf 'root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n' >/base/etc/passwd \
    && printf 'root:x:0:\nnonroot:x:65532:\n' >/base/etc/group

FROM scratch AS base
COPY --from=files /base/ /
USER 65532:65532

FROM base AS kube-apiserver
COPY --from=build /launcher /usr/local/bin/kube-apiserver
COPY --from=kubernetes /out/kube-apiserver /usr/local/libexec/
ENTRYPOINT ["/usr/local/bin/kube-apiserver"]

FROM base AS kube-controller-manager
COPY --from=kubernetes /out/kube-controller-manager /usr/local/bin/
ENTRYPOINT ["/usr/local/bin/kube-controller-manager"]

FROM base AS kube-scheduler
COPY --from=kubernetes /out/kube-scheduler /usr/local/bin/
ENTRYPOINT ["/usr/local/bin/kube-scheduler"]

# It configures the kernel of the node, for which it has to be root.
FROM debian:bookworm-slim AS kube-proxy
RUN apt-get update && apt-get install -y --no-install-recommends iptables nftables && rm -rf /var/lib/apt/lists/*
COPY --from=kubernetes /out/kube-proxy /usr/local/bin/
ENTRYPOINT ["/usr/local/bin/kube-proxy"]

FROM base AS etcd
COPY --from=others /out/etcd /usr/local/bin/
ENTRYPOINT ["/usr/local/bin/etcd"]

FROM base AS konnectivity-server
COPY --from=others /out/konnectivity-server /usr/local/bin/
ENTRYPOINT ["/usr/local/bin/konnectivity-server"]

FROM base AS konnectivity-agent
COPY --from=others /out/konnectivity-agent /usr/local/bin/
ENTRYPOINT ["/usr/local/bin/konnectivity-agent"]

FROM base AS coredns
COPY --from=others /out/coredns /usr/local/bin/
ENTRYPOINT ["/usr/local/bin/coredns"]

FROM scratch AS pause
COPY --from=others /out/pause /pause
USER 65532:65532
ENTRYPOINT ["/pause"]

FROM base AS marina
COPY --from=build /marina /usr/local/bin/marina
ENTRYPOINT ["/usr/local/bin/marina"]
