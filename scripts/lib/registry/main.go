// A registry of OCI 1.1 that lists referrers: the one of Google's go-containerregistry, which `crane registry serve`
// starts without that. Blobs are kept in a directory, manifests in memory.
//
//	registry DIRECTORY CERTIFICATE KEY
package main

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"os"

	"github.com/google/go-containerregistry/pkg/registry"
)

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprintf(os.Stderr, "listening on %s\n", listener.Addr())
	blobs := registry.WithBlobHandler(registry.NewDiskBlobHandler(os.Args[1]))
	served := registry.New(blobs, registry.WithReferrersSupport(true))
	log.Fatal(http.ServeTLS(listener, served, os.Args[2], os.Args[3]))
}
