// A management server made of go-control-plane's own snapshot cache and xDS server, driven over HTTP by a test.
//
//	PUT /snapshot   {"node", "version", "clusters": [...], "endpoints": [...], "listeners": [...], "routes": [...]}
//	GET /answers    every answer of a client so far: {"variant", "typeUrl", "version", "nonce", "error"}
//
// Resources are ProtoJSON. The first line it prints holds the addresses it listens on.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"sync"

	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/grpc_stats/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

type answer struct {
	Variant string `json:"variant"`
	TypeURL string `json:"typeUrl"`
	Version string `json:"version"`
	Nonce   string `json:"nonce"`
	Error   string `json:"error"`
}

// The answers of clients, in order of arrival.
type answers struct {
	mutex sync.Mutex
	list  []answer
}

func (a *answers) add(one answer) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if one.Nonce != "" {
		a.list = append(a.list, one)
	}
}

func (a *answers) serve(writer http.ResponseWriter, _ *http.Request) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	_ = json.NewEncoder(writer).Encode(append([]answer{}, a.list...))
}

func (a *answers) callbacks() server.Callbacks {
	return server.CallbackFuncs{
		StreamRequestFunc: func(_ int64, request *discovery.DiscoveryRequest) error {
			a.add(answer{"sotw", request.TypeUrl, request.VersionInfo, request.ResponseNonce, request.ErrorDetail.GetMessage()})
			return nil
		},
		StreamDeltaRequestFunc: func(_ int64, request *discovery.DeltaDiscoveryRequest) error {
			a.add(answer{"delta", request.TypeUrl, "", request.ResponseNonce, request.ErrorDetail.GetMessage()})
			return nil
		},
	}
}

type snapshotRequest struct {
	Node      string            `json:"node"`
	Version   string            `json:"version"`
	Clusters  []json.RawMessage `json:"clusters"`
	Endpoints []json.RawMessage `json:"endpoints"`
	Listeners []json.RawMessage `json:"listeners"`
	Routes    []json.RawMessage `json:"routes"`
}

func parsed(list []json.RawMessage, empty func() proto.Message) ([]types.Resource, error) {
	resources := []types.Resource{}
	for _, text := range list {
		message := empty()
		if err := protojson.Unmarshal(text, message); err != nil {
			return nil, fmt.Errorf("%w in %s", err, text)
		}
		resources = append(resources, message)
	}
	return resources, nil
}

func (request snapshotRequest) snapshot() (*cache.Snapshot, error) {
	resources := map[resource.Type][]types.Resource{}
	for typeURL, part := range map[resource.Type]struct {
		list  []json.RawMessage
		empty func() proto.Message
	}{
		resource.ClusterType:  {request.Clusters, func() proto.Message { return &cluster.Cluster{} }},
		resource.EndpointType: {request.Endpoints, func() proto.Message { return &endpoint.ClusterLoadAssignment{} }},
		resource.ListenerType: {request.Listeners, func() proto.Message { return &listener.Listener{} }},
		resource.RouteType:    {request.Routes, func() proto.Message { return &route.RouteConfiguration{} }},
	} {
		list, err := parsed(part.list, part.empty)
		if err != nil {
			return nil, err
		}
		resources[typeURL] = list
	}
	snapshot, err := cache.NewSnapshot(request.Version, resources)
	if err != nil {
		return nil, err
	}
	return snapshot, snapshot.Consistent()
}

func putSnapshot(snapshots cache.SnapshotCache) http.HandlerFunc {
	return func(writer http.ResponseWriter, httpRequest *http.Request) {
		var request snapshotRequest
		err := json.NewDecoder(httpRequest.Body).Decode(&request)
		if err == nil {
			var snapshot *cache.Snapshot
			if snapshot, err = request.snapshot(); err == nil {
				err = snapshots.SetSnapshot(httpRequest.Context(), request.Node, snapshot)
			}
		}
		if err != nil {
			http.Error(writer, err.Error(), http.StatusBadRequest)
		}
	}
}

// Nodes are told apart by their id, which is what cache.IDHash does; said here for the reader.
type nodeByID struct{}

func (nodeByID) ID(node *core.Node) string { return node.GetId() }

func main() {
	adsAddress := flag.String("ads", "127.0.0.1:0", "where to serve xDS")
	flag.Parse()
	if flag.Arg(0) == "version" {
		fmt.Println("go-control-plane management server")
		return
	}
	ads, err := net.Listen("tcp", *adsAddress)
	if err != nil {
		log.Fatal(err)
	}
	control, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	seen := &answers{}
	snapshots := cache.NewSnapshotCache(true, nodeByID{}, nil)
	grpcServer := grpc.NewServer()
	xds := server.NewServer(context.Background(), snapshots, seen.callbacks())
	discovery.RegisterAggregatedDiscoveryServiceServer(grpcServer, xds)
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /snapshot", putSnapshot(snapshots))
	mux.HandleFunc("GET /answers", seen.serve)
	go func() { log.Fatal(http.Serve(control, mux)) }()
	fmt.Fprintf(os.Stdout, "ads %s control %s\n", ads.Addr(), control.Addr())
	log.Fatal(grpcServer.Serve(ads))
}
