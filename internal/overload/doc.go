// Package overload measures what the process runs short of, and makes one level of it that everybody obeys.
//
// It is defined by docs/operations.md, section Overload (O1 to O8): memory against GOMEMLIMIT, free bytes of the data
// directory, the delay of the run queue, and descriptors. The level is the worst of them. It is left five points below
// where it was entered, after five seconds.
package overload
