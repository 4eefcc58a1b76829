// Package auth logs people in, over the repositories of package store: with a
// password, by a link in a mail, or by an account at an OAuth provider. It has
// the rules that storage leaves to its caller: what a password must be, when one
// is checked, who may be linked to whom, and what ends which sessions.
//
// # What it promises
//
//   - Nobody learns from Login who has an account: an unknown email and a wrong
//     password give the same error after the same work, round trips to the server
//     included, while stored hashes have the cost of Options.Hashing. RequestReset
//     and RequestMagicLink succeed for both, but not in the same time: the answer
//     should not wait for them.
//   - A password is never kept, printed or put into an error; what is stored is its
//     Argon2id hash. See [Argon2id].
//   - Too many failures lock an email, see [store.BruteForce]. The next attempt is
//     refused before the password is looked at, even a right one. Of attempts at
//     once a few more are looked at, unless Options.Strict says otherwise.
//   - A changed or reset password leaves no session in storage that began with the
//     one before, not even that of a login under way at that moment. Sessions that
//     are JSON Web Tokens cannot be ended: see [JWT]. Nor does it leave a link to
//     log in or to set a password that was mailed before. Of two changes at once that
//     both prove the old password one gets through.
//   - A token that was mailed is good for once, and no longer than its user has the
//     email that it was mailed to. A new password is judged before its
//     token is touched, so that a weak one does not use it up.
//   - What decides is read from the primary, whatever Config.ReadFrom says.
//     Authenticate alone follows Config.ReadFrom.
//
// # What it leaves to its caller
//
// Mails: functions return the token, and the caller sends it, in the background
// too. Cookies. Bounds on how often an address may ask: a link may be requested
// for any email, and makes a user of it. To show no difference between a new user
// and one who exists when somebody registers: Register reports a conflict.
package auth
