// Package ordered is a map of values that know their keys, in byte order of
// these: a B+ tree that holds the retained messages of core/topic and what the
// store in memory keeps. It imports the standard library only and knows nothing
// of topics.
//
// Most of the time of a search goes into waiting for memory, so a page keeps
// what its keys begin with, and the eight bytes after it of each in one array:
// hardly any key is looked at where it is.
package ordered
