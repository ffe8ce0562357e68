// Command vcsim is govmomi's simulator of a vCenter, with the alarms that its own command lacks.
//
// It takes the flags of that command which demo/vcsim.py uses, and speaks the same first line.
package main

import (
	"crypto/tls"
	"flag"
	"fmt"
	"log"
	"net/url"
	"os"
	"os/signal"
	"syscall"

	"github.com/vmware/govmomi/simulator"
	_ "github.com/vmware/govmomi/vapi/simulator" // tags
)

func main() {
	model := simulator.VPX()
	listen := flag.String("l", "127.0.0.1:0", "address to listen on")
	username := flag.String("username", "user", "who may log in")
	password := flag.String("password", "pass", "with which password")
	flag.IntVar(&model.Machine, "vm", model.Machine, "virtual machines per resource pool")
	untilEOF := flag.Bool("stdinexit", false, "end with the standard input")
	flag.Parse()

	if err := model.Create(); err != nil {
		log.Fatal(err)
	}
	defer model.Remove()
	addAlarms(simulator.Map, *model.ServiceContent.AlarmManager)

	model.Service.RegisterEndpoints = true
	model.Service.Listen = &url.URL{Host: *listen, User: url.UserPassword(*username, *password)}
	model.Service.TLS = new(tls.Config)
	server := model.Service.NewServer()
	defer server.Close()
	fmt.Printf("export GOVC_URL=%s\n", server.URL)

	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGINT, syscall.SIGTERM)
	if *untilEOF {
		go func() {
			os.Stdin.Read(make([]byte, 1))
			ended <- syscall.SIGTERM
		}()
	}
	<-ended
}
