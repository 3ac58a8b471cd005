package telemetry

// Status is status.
var Status = status
