module vcenter-events/tests/vcsim

go 1.21

require github.com/vmware/govmomi v0.39.0

require github.com/google/uuid v1.6.0 // indirect
