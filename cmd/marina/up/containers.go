package up

import (
	"context"

	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/cmd/marina/simulator"
	"github.com/marina-dev/marina/cmd/marina/simulator/container"
)

// nodeContainers are what the simulator's servers are made of; nothing for hollow nodes.
// What is wrong with the engine and its images shows before anything is started.
func nodeContainers(ctx context.Context, o Options) (simulator.Containers, error) {
	none := simulator.Containers{}
	if o.Cloud != CloudSimulator {
		return none, nil
	}
	err := simulator.CheckDriver(dataDir(o.DataDir).cloud(), len(o.NodeImages) > 0)
	if err != nil || len(o.NodeImages) == 0 {
		return none, err
	}
	engine, err := container.Engine(ctx)
	if err != nil {
		return none, failure.New("start a Docker engine that this user may use, set $DOCKER_HOST, or leave out --node-image", "--node-image takes a Docker engine: %v", err)
	}
	images := map[string]string{}
	for _, image := range o.NodeImages {
		version, err := container.Version(ctx, engine, image)
		if err != nil {
			return none, failure.New("run 'make images' and 'hack/kind/kind.sh node-image', which prints the image's name", "--node-image %s: %v", image, err)
		}
		if other, twice := images[version]; twice {
			return none, misused("choose one", "--node-image: %s and %s are both of Kubernetes %s", other, image, version)
		}
		images[version] = image
	}
	return simulator.Containers{Engine: engine, Images: images}, nil
}
