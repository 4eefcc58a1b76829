// Package layouts weighs ways to keep sessions in a server: those that package
// store could have taken and the one that it has. What it finds stands in
// docs/storage.md; run it by make memory.
package layouts
