// etcd is upstream's server, unchanged. Its own main cannot be installed by version
// (its module has replace directives), but it can be called.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() { etcdmain.Main(os.Args) }
