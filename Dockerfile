# The marina binary in an empty image, for those who have a registry:
#   docker build -t REGISTRY/marina:VERSION --build-arg VERSION=VERSION .
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
RUN CGO_ENABLED=0 go build -trimpath \
    -ldflags "-s -w -X github.com/marina-dev/marina/cmd/marina/cli.version=${VERSION}" \
    -o /marina ./cmd/marina

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /marina /usr/local/bin/marina
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/marina"]
