// Package recipes holds the frameworks' part of docs/recipes.md: an API for each that is
// as short as can be right, and is tested over a connection. They are a module of their
// own, so that nobody else downloads what they need.
//
// All have in common that a route is refused unless somebody says what it needs, or that
// it is for anybody. Copy a folder without its _test.go, and then TestAllGuarded of that;
// what else is in it uses a package that only this repository has.
package recipes
