// The servers of the comparison of sockets as goroutines, on one thread (GOMAXPROCS=1).
//
// Usage: echo_go echo|http. Prints the port on which it listens, then serves forever.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
)

const bufferSize = 4096

func echo(connection net.Conn) {
	defer connection.Close()
	buffer := make([]byte, bufferSize)
	for {
		n, err := connection.Read(buffer)
		if err != nil {
			return
		}
		if _, err := connection.Write(buffer[:n]); err != nil {
			return
		}
	}
}

func hello(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain")
	w.Header().Set("Content-Length", "13")
	io.WriteString(w, "Hello, World!")
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: echo_go echo|http")
		os.Exit(2)
	}
	// Connections have TCP_NODELAY set by default.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	if os.Args[1] == "http" {
		panic(http.Serve(listener, http.HandlerFunc(hello)))
	}
	for {
		connection, err := listener.Accept()
		if err != nil {
			panic(err)
		}
		go echo(connection)
	}
}
