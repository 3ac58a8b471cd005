// Package mistakes holds tests alone: a table of the mistakes that users make,
// one entry each, and what they read about it, at validator.New where the
// configuration shows it, else at Ready, else in the log's first line about it:
// the field, its value and the remedy. What no library can see says by which
// program it is seen.
package mistakes
