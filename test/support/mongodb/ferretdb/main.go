// A server that speaks MongoDB's protocol and is not MongoDB: FerretDB over SQLite, embedded, for the tests that ask what
// Curfew makes of such a one. It listens on a port of 127.0.0.1, says which on stdout, keeps its files in the folder it is
// given, reports nothing to anybody (embedded, it has no telemetry), and ends when its stdin does.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/FerretDB/FerretDB/ferretdb"
)

func main() {
	server, err := ferretdb.New(&ferretdb.Config{
		Listener:  ferretdb.ListenerConfig{TCP: "127.0.0.1:0"},
		Handler:   "sqlite",
		SQLiteURL: "file:" + os.Args[1] + "/",
		Logger:    slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(server.MongoDBURI())
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	server.Run(ctx)
}
