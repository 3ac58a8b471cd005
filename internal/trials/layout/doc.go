// Package layout holds the tests of the whole repository: which package may
// import what, where dependencies are used, and how tests are written.
package layout
