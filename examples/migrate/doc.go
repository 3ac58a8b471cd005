// Package migrate holds what docs/migrate.md shows: for each library that an API may come
// from, the API as it was and as it is, and the stages between. The test asks both the
// same, and the page's table is what they answered. They are a module of their own, so
// that nobody else downloads what they need.
package migrate
