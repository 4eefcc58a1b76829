package storetest

// Entry is a behaviour that every store must have.
type Entry struct {
	// ID stands in front of the names of the cases that ask for it.
	ID string
	// Meaning says in one line what holds.
	Meaning string
}

// Catalogue lists what every store must do. Each entry has a case in the suite, or
// several.
func Catalogue() []Entry {
	all := secretEntries()
	all = append(all, userEntries()...)
	all = append(all, sessionEntries()...)
	all = append(all, passwordEntries()...)
	all = append(all, linkEntries()...)
	all = append(all, bruteForceEntries()...)
	return append(all, flowEntries()...)
}

func secretEntries() []Entry {
	return []Entry{
		{"ID-1", "a generated user id has its prefix and is valid; no two are equal"},
		{"ID-2", "what lacks the prefix, or has too little after it, is no generated id"},
		{"ID-3", "ids need no escaping in a URL; other sizes work, fewer than 12 bytes do not"},
		{"ID-4", "an id whose bytes begin with zeros is valid"},
		{"HASH-1", "a hash is 64 hexadecimal digits, the same for the same text, and else another"},
		{"HASH-2", "a text matches its own hash alone; what differs in length is unequal"},
		{"TOK-1", "a random token is opaque and has 43 characters; two dots make a JWT"},
		{"TOK-2", "nothing that has a token shows it when it is printed"},
		{"JWT-1", "a secret for HS256 of less than 32 bytes is refused"},
		{"JWT-2", "issuer and metadata come back, with HS256 and with RS256"},
		{"JWT-3", "an expired JWT is told from one that is none"},
	}
}

func userEntries() []Entry {
	return []Entry{
		{"U-1", "a created user has what was given, is unverified, and is found by id and by email"},
		{"U-2", "an unknown id or email is absent"},
		{"U-3", "both times are equal at creation and not in the future"},
		{"U-4", "an update changes name and verification, keeps the creation's time and moves that of the update"},
		{"U-5", "a deleted user is absent"},
		{"U-6", "find-or-create gives the user who is there, and else one without a name, unverified"},
		{"U-7", "a user who was marked as verified is so on the next read"},
		{"U-8", "an id that the caller chose is kept"},
		{"U-9", "a taken id or email is a conflict that changes nothing and leaves nothing"},
		{"U-10", "a changed email frees the old one and finds the user by the new; a taken one is a conflict"},
		{"U-11", "emails that differ in case are different"},
		{"U-12", "of find-or-create by many at once comes one user, whom all get"},
		{"U-13", "of creations with one email at once one succeeds"},
		{"U-14", "changes of different fields at once are all kept"},
		{"U-15", "writing to a user who is not there is not-found and makes none"},
		{"U-16", "a deleted user's email is free, and nothing of the user comes to the next who has it"},
		{"U-17", "ids and emails of odd signs or great length do not meet"},
	}
}

func sessionEntries() []Entry {
	return []Entry{
		{"S-1", "a created session is found by its token, with user, agent and address"},
		{"S-2", "an unknown token is absent"},
		{"S-3", "a deleted session is absent; to delete it again is no error"},
		{"S-4", "two sessions of a user are independent"},
		{"S-5", "delete-all ends all sessions of one user, which may be none, and no other's"},
		{"S-6", "a session that ends in the past is accepted; cleaning up takes it and leaves the valid"},
		{"S-7", "a session of one second is there at once and gone after two, while others go on"},
		{"S-8", "times are equal at creation and the end is in the future"},
		{"S-9", "a deleted user's sessions are no good"},
		{"S-10", "a list has the user's own sessions, newest first, with hashes and without tokens"},
		{"S-11", "a refresh moves the end to so much from now, sooner or later, and keeps the rest"},
		{"S-12", "refreshing an unknown session is an error"},
		{"S-13", "a session that ended or was deleted is not refreshed into life"},
		{"S-14", "lifetimes from a millisecond to ten years are honoured to 50 ms"},
		{"S-15", "no refresh or update leaves a key of sessions without an end"},
		{"S-16", "when all sessions of a user have ended, nothing of them fills memory"},
		{"S-17", "after a deletion has returned, no concurrent refresh makes the session valid"},
		{"S-18", "delete-all ends what was created before it, however many come at once; lists agree with what is alive"},
		{"S-19", "no key and no value holds a token"},
		{"S-20", "a token that is in use is a conflict and stays its owner's"},
		{"S-21", "a server that is down, stalled or full is an error and never absence"},
		{"S-22", "absent, empty, odd and large texts come back unchanged"},
	}
}

func passwordEntries() []Entry {
	return []Entry{
		{"P-1", "a hash is set, overwritten, got and removed; an unknown user has none"},
		{"P-2", "a user without a hash has none"},
		{"P-3", "a hash is in no form of a user, stored or cached"},
		{"K-1", "a token that was verified is marked as used and comes back without its text"},
		{"K-2", "a token is good for once"},
		{"K-3", "checking uses up nothing, and a wrong purpose is false"},
		{"K-4", "a wrong purpose uses up nothing"},
		{"K-5", "a token ends to the millisecond"},
		{"K-6", "of many tokens of a user all are good"},
		{"K-7", "of 64 verifications at once one succeeds"},
		{"K-8", "cleaning up takes what has expired and nothing else"},
		{"K-9", "no key and no value holds a token"},
		{"K-10", "a used token is no good to check"},
	}
}

func linkEntries() []Entry {
	return []Entry{
		{"O-1", "a created account has its fields, and finds itself and its user; an unknown one is absent"},
		{"O-2", "creating an account twice is a conflict"},
		{"O-3", "a user may have accounts at several providers"},
		{"O-4", "an account of another user is already linked, and stays theirs"},
		{"O-5", "unlinking takes all of a provider and no others; none is no error"},
		{"O-6", "accounts are listed newest first"},
		{"O-7", "the last way to log in is not unlinked; with another provider, a password or a passkey it is not the last"},
		{"O-8", "of unlinks of the last two providers at once one is refused"},
		{"O-9", "of users who link one account at once one has it"},
		{"O-10", "an account of a deleted user is absent and free"},
		{"X-1", "a verifier is stored, got and deleted; an unknown one is absent"},
		{"X-2", "an expired verifier is absent"},
		{"X-3", "a verifier is consumed once, whoever comes at once"},
		{"X-4", "storing again replaces value and end"},
		{"W-1", "passkeys are added, got, listed and deleted; unused at first, and used after a touch"},
		{"W-2", "an unknown credential is absent and authenticates nobody"},
		{"W-3", "a credential that somebody has is a conflict"},
		{"W-4", "a challenge is set and got, ends in time, and is consumed once"},
		{"W-5", "credentials may have all bytes and 1 to 1023 of them"},
		{"W-6", "deleting all passkeys of one user leaves those of others"},
	}
}

func bruteForceEntries() []Entry {
	return []Entry{
		{"B-1", "a recorded failure has an id above 0, its email, and its address if there is one"},
		{"B-2", "stats count from a time on, that time included, and name the latest"},
		{"B-3", "clearing tells how many there were and leaves other emails alone"},
		{"B-4", "the time of locking is set, got and taken away; for an unknown email nothing happens"},
		{"B-5", "cleaning up takes what is old, but not from locked users, and tells how many"},
		{"B-6", "an email is locked from the last allowed failure on, until a known time"},
		{"B-7", "a reset unlocks and zeroes"},
		{"B-8", "unlocking tells whether there was a lock"},
		{"B-9", "a lock tells after how many seconds to try again"},
		{"B-10", "emails are independent"},
		{"B-11", "when it is disabled nothing is locked or recorded"},
		{"B-12", "a login while locked records nothing, even with the right password"},
		{"B-13", "a login that succeeds clears"},
		{"B-14", "failures age out of the window, with the lock or without it as the mode says"},
		{"B-15", "of 100 failures at once all count under ids of their own; strict logins check no more passwords than allowed"},
		{"B-16", "failures of one address in one millisecond all count"},
		{"B-17", "attempts on any number of made-up emails fill memory no longer than the retention"},
	}
}

func flowEntries() []Entry {
	return []Entry{
		{"F-1", "who registers can log in, before and after verifying the email"},
		{"F-2", "registering again changes neither the user nor the password"},
		{"F-3", "a wrong password and an unknown email fail alike"},
		{"F-4", "a weak password is refused and nothing is stored"},
		{"F-5", "a reset for an unknown email succeeds and makes no token"},
		{"F-6", "a weak new password does not use up the reset token, a good one does"},
		{"F-7", "a changed password ends the old one and all sessions"},
		{"F-8", "a reset also unlocks and ends all sessions"},
		{"F-9", "a magic link creates the user if need be, is good for once, and leaves agent and address on the session"},
		{"F-10", "health is fine, and migrating twice too"},
	}
}
