package main

// mutants are the faults that the suite has to find. To add one, name the case
// that is there for it; if none is, write that first.
func mutants() []mutant {
	all := expiryMutants()
	all = append(all, sessionMutants()...)
	all = append(all, tokenMutants()...)
	all = append(all, userMutants()...)
	all = append(all, linkMutants()...)
	return append(all, cacheMutants()...)
}

func expiryMutants() []mutant {
	return []mutant{
		{
			name: "refresh-loses-ttl", breaks: "a refresh makes the user's sessions immortal in memory",
			finder: "S-15", cases: "S-1",
			edits: []edit{{file: "lua/session_refresh.lua", old: "return {'ok', raw, u.raw}", new: "redis.call('PERSIST', KEYS[2])\nreturn {'ok', raw, u.raw}"}},
		},
		{
			name: "refresh-keeps-old-ttl", breaks: "a session that was refreshed is forgotten at its old end",
			finder: "S-11 a longer refresh", cases: "S-1",
			edits: []edit{{file: "lua/session_refresh.lua", old: "redis.call('PEXPIREAT', KEYS[2], text(moved), 'GT')", new: ""}},
		},
		{
			name: "sessions-without-ttl", breaks: "the sessions of users who never come back fill memory for ever",
			finder: "S-16", cases: "S-1",
			edits: []edit{{file: "lua/session_create.lua", old: "return {'ok'}", new: "redis.call('PERSIST', KEYS[2])\nreturn {'ok'}"}},
		},
		{
			name: "sessions-unbounded", breaks: "who knows one password fills memory with sessions that live",
			finder: "S-1 beyond", cases: "S-1 ",
			edits: []edit{{file: "lua/session_create.lua", old: "math.min(surplus, #others)", new: "0"}},
		},
		{
			name: "tokens-without-ttl", breaks: "secure tokens fill memory for ever",
			finder: "K-5 tokens leave nothing behind", cases: "K-",
			edits: []edit{{file: "lua/token_create.lua", old: "tidy(KEYS[2], now, expires)", new: "tidy(KEYS[2], now, expires)\nredis.call('PERSIST', KEYS[2])"}},
		},
		{
			name: "attempts-without-ttl", breaks: "failed log-ins with made-up emails fill memory for ever",
			finder: "B-17 every key ends", cases: "B-1",
			edits: []edit{{file: "lua/attempt_record.lua", old: "redis.call('PEXPIRE', KEYS[1], ARGV[4])", new: ""}},
		},
		{
			name: "lock-without-ttl", breaks: "a sticky lock stays in memory for ever",
			finder: "B-17 every key ends", cases: "B-1",
			edits: []edit{{file: "lua/attempt_record.lua", old: "redis.call('SET', KEYS[2], text(ends), 'PXAT', text(ends))", new: "redis.call('SET', KEYS[2], text(ends))"}},
		},
		{
			name: "expired-session-served", breaks: "a session is valid after its end while another of the user goes on",
			finder: "S-7", cases: "S-",
			edits: []edit{{file: "sessions.go", old: "return u.state == stateActive && now.UnixMilli() <= s.ExpiresAt.UnixMilli()", new: "return u.state == stateActive"}},
		},
	}
}

func sessionMutants() []mutant {
	return []mutant{
		{
			name: "refresh-revives-deleted", breaks: "a refresh that has read the session writes it back after a log-out",
			finder: "S-17", cases: "S-1",
			edits: []edit{
				{file: "lua/session_refresh.lua", old: "redis.call('HGET', KEYS[2], ARGV[1])", new: "ARGV[3]"},
				{
					file: "sessions.go",
					old:  "out, err := s.eval(ctx, op, scriptSessionRefresh, s.both(tag), sessionMember(t), strconv.FormatInt(d.Milliseconds(), 10))",
					new: `_, read, err := s.engine.lookup(ctx, op, s.keys.user(tag), s.keys.sessions(tag), sessionMember(t))
	if err != nil || read == "" {
		return Session{}, errors.Join(err, reply{replyAbsent}.err(op, "session"))
	}
	out, err := s.eval(ctx, op, scriptSessionRefresh, s.both(tag), sessionMember(t), strconv.FormatInt(d.Milliseconds(), 10), read)`,
				},
			},
		},
		{
			name: "refresh-revives-expired", breaks: "a session that has ended is made to live again",
			finder: "S-13 an expired session", cases: "S-1",
			edits: []edit{{file: "lua/session_refresh.lua", old: "u.state ~= 'a' or now > expires", new: "u.state ~= 'a'"}},
		},
		{
			name: "refreshed-session-unlisted", breaks: "a session that was refreshed is in no list and escapes the log-out everywhere",
			finder: "S-18 delete-all ends sessions that are being refreshed", cases: "S-",
			edits: []edit{
				{file: "lua/session_refresh.lua", old: "redis.call('HGET', KEYS[2], ARGV[1])", new: "redis.call('HGET', KEYS[2], ARGV[1]) or redis.call('HGET', KEYS[2] .. 'x', ARGV[1])"},
				{file: "lua/session_refresh.lua", old: "redis.call('HSET', KEYS[2], ARGV[1], raw)", new: "redis.call('HDEL', KEYS[2], ARGV[1])\nredis.call('HSET', KEYS[2] .. 'x', ARGV[1], raw)\nredis.call('PEXPIREAT', KEYS[2] .. 'x', text(moved))"},
				{
					file: "sessions.go", old: "if err != nil || text == \"\" || record == \"\" {",
					new: `if err == nil && record == "" {
		text, record, err = s.engine.lookup(ctx, op, s.keys.user(tag), s.keys.sessions(tag)+"x", memberOf(digest))
	}
	if err != nil || text == "" || record == "" {`,
				},
				{file: "lua/session_delete.lua", old: "if redis.call('HDEL'", new: "redis.call('HDEL', KEYS[1] .. 'x', ARGV[1])\nif redis.call('HDEL'"},
			},
		},
		revokeInSteps(),
		{
			name: "outage-as-absence", breaks: "an outage logs everybody out",
			finder: "S-21", cases: "S-2",
			edits: []edit{{file: "sessions.go", old: "record == \"\" {\n\t\treturn Identity{}, false, err", new: "record == \"\" {\n\t\treturn Identity{}, false, nil"}},
		},
		{
			name: "token-in-copy", breaks: "who reads a dump of the cache can log in as anybody",
			finder: "S-19", cases: "S-19|C-8|C-9",
			edits: []edit{{file: "cache_record.go", old: "Metadata: c.Metadata,", new: "Metadata: c.Metadata, Absent: string(c.Token),"}},
		},
	}
}

// revokeInSteps keeps an index of the user's sessions beside them, writes both
// one after the other, and revokes what the index lists.
func revokeInSteps() mutant {
	return mutant{
		name: "revoke-misses-creation", breaks: "a session that begins during a log-out everywhere is alive and in no list",
		finder: "S-18 delete-all ends every session", cases: "S-",
		edits: []edit{
			{file: "sessions.go", old: "s.keys.sessions(tag), memberOf(digest))", new: "s.keys.sessions(tag)+\"x\", memberOf(digest))"},
			{
				file: "sessions.go", old: "out, err := s.eval(ctx, op, scriptSessionCreate, s.both(userTag(session.UserID)),",
				new: `keys := s.both(userTag(session.UserID))
	if _, err := s.eval(ctx, op, scriptSessionCreate, keys,
		userCheck(session.UserID), sessionMember(session.Token), millis(session.ExpiresAt), s.codec.encode(session), strconv.Itoa(s.config.MaxSessions)); err != nil {
		return Session{}, err
	}
	keys[1] += "x"
	out, err := s.eval(ctx, op, scriptSessionCreate, keys,`,
			},
			{
				file: "sessions.go", old: "out, err := s.eval(ctx, op, scriptSessionRefresh, s.both(tag), ",
				new: `keys := s.both(tag)
	keys[1] += "x"
	if _, err := s.eval(ctx, op, scriptSessionRefresh, s.both(tag), sessionMember(t), strconv.FormatInt(d.Milliseconds(), 10)); err != nil {
		return Session{}, err
	}
	out, err := s.eval(ctx, op, scriptSessionRefresh, keys, `,
			},
			{
				file: "sessions.go", old: "_, err := s.eval(ctx, \"delete session\"",
				new: `if _, err := s.eval(ctx, "delete session", scriptSessionDelete, []string{s.keys.sessions(tag) + "x"}, sessionMember(t)); err != nil {
		return err
	}
	_, err := s.eval(ctx, "delete session"`,
			},
			{
				file: "sessions.go", old: "out, err := s.eval(ctx, op, scriptUserRevoke",
				new: `listed, err := s.List(ctx, userID)
	if err != nil {
		return err
	}
	for _, one := range listed {
		member, err := hex.DecodeString(one.TokenHash)
		if err != nil {
			return err
		}
		_, err = s.eval(ctx, op, scriptSessionDelete, []string{s.keys.sessions(userTag(userID)) + "x"}, string(member))
		if err != nil {
			return err
		}
	}
	out, err := s.eval(ctx, op, scriptUserRevoke`,
			},
			{file: "sessions.go", old: "\"context\"", new: "\"context\"\n\t\"encoding/hex\""},
			{file: "keys.go", old: "l.passkeys(tag), l.sessions(tag),", new: "l.passkeys(tag), l.sessions(tag), l.sessions(tag) + \"x\","},
		},
	}
}

func tokenMutants() []mutant {
	return []mutant{
		{
			name: "wrong-purpose-uses-up", breaks: "who presents a token for another purpose uses it up, as GETDEL would",
			finder: "K-4", cases: "K-|A13 a reset",
			edits: []edit{{file: "lua/token_verify.lua", old: "if not t then return {why} end", new: "if not t then\n  redis.call('HDEL', KEYS[2], ARGV[1])\n  return {why}\nend"}},
		},
		{
			name: "token-good-twice", breaks: "two who present a magic link at once are both let in",
			finder: "K-7", cases: "K-",
			edits: []edit{
				{file: "lua/prelude.lua", old: "t.used ~= '-' or ", new: ""},
				{
					file: "tokens.go", old: "out, err := k.eval(ctx, op, scriptTokenVerify",
					new: `if ok, err := k.Check(ctx, t, purpose); err != nil || !ok {
		return SecureToken{}, false, err
	}
	out, err := k.eval(ctx, op, scriptTokenVerify`,
				},
			},
		},
		{
			name: "token-outlives-email", breaks: "who reads the mails of a former address gets into the account",
			finder: "F-1 what was mailed", cases: "F-1 ",
			edits: []edit{{file: "lua/prelude.lua", old: "u.state ~= 'a' or u.nonce ~= t.nonce", new: "u.state ~= 'a'"}},
		},
		{
			name: "tokens-outlive-password", breaks: "who knew the old password has a link mailed before it changes, and undoes the change",
			finder: "A13 a change drops", cases: "A13 ",
			edits: []edit{{file: "lua/prelude.lua", old: "if #doomed > 0 then redis.call('HDEL', tokens, unpack(doomed)) end", new: ""}},
		},
		{
			name: "verifier-handed-out-twice", breaks: "two who return from a provider at once both get the verifier",
			finder: "X-3 of concurrent", cases: "X-|W-4",
			edits: []edit{{
				file: "notes.go", old: "out, err := e.eval(ctx, op, scriptNoteTake",
				new: `if text, ok, err := e.note(ctx, op, key); err != nil || ok {
		return text, ok, errors.Join(err, e.deleteNote(ctx, op, key))
	}
	out, err := e.eval(ctx, op, scriptNoteTake`,
			}, {file: "notes.go", old: "\"context\"", new: "\"context\"\n\t\"errors\""}},
		},
		{
			name: "token-as-field", breaks: "who reads a dump of the store can reset passwords",
			finder: "K-9", cases: "K-",
			edits: []edit{
				{file: "tokens.go", old: "sessionMember(token)", new: "string(token)"},
				{file: "tokens.go", old: "sessionMember(t)", new: "string(t)", times: 2},
				{file: "passwords.go", old: "sessionMember(t)", new: "string(t)"},
			},
		},
		{
			name: "token-bytes-as-field", breaks: "who reads a dump of the store can reset passwords, and a search for the texts of tokens finds nothing",
			finder: "K-9", cases: "K-",
			edits: tokenBytesAsField(),
		},
		{
			name: "session-token-bytes-as-field", breaks: "who reads a dump of the store can log in as anybody",
			finder: "S-19", cases: "S-1",
			edits: tokenBytesAsField(),
		},
	}
}

// tokenBytesAsField keeps the bytes that a token's text stands for, which are as
// many as those of its hash.
func tokenBytesAsField() []edit {
	return []edit{
		{
			file: "keys.go", old: "func sessionMember(t Token) string { return memberOf(t.digest()) }",
			new: `func sessionMember(t Token) string {
	raw, _ := base64.RawURLEncoding.DecodeString(string(t))
	return string(raw)
}`,
		},
		{file: "sessions.go", old: "memberOf(digest))", new: "sessionMember(t))"},
	}
}

func userMutants() []mutant {
	return []mutant{
		{
			name: "claim-in-two-steps", breaks: "two who register one email at once become two users with it",
			finder: "U-12", cases: "U-1|O-9|W-3",
			edits: []edit{
				{file: "lua/claim_take.lua", old: "if current and", new: "if ARGV[3] ~= 'free' and current and"},
				{
					file: "claims.go", old: "out, err := c.eval(ctx, c.op, scriptClaimTake, []string{c.key}, mine.String(), dead)",
					new: `there, err := c.get(WithPrimaryReads(ctx), c.op, c.key)
		if err != nil {
			return nil, err
		}
		free := ""
		if there[0] == "" || there[0] == dead {
			free = "free"
		}
		out, err := c.eval(ctx, c.op, scriptClaimTake, []string{c.key}, mine.String(), dead, free)`,
				},
			},
		},
		{
			name: "conflict-not-detected", breaks: "of two changes of a user at once one is lost, a lock for example",
			finder: "U-14 concurrent changes", cases: "U-14|U-4",
			edits: []edit{{file: "lua/user_update.lua", old: "if u.updated ~= ARGV[2] or u.nonce ~= ARGV[3] then return {'conflict'} end", new: ""}},
		},
		{
			name: "email-in-key", breaks: "an email can choose the slot of its keys, and whoever may list keys reads it",
			finder: "U-17", cases: "U-1|B-1",
			edits: []edit{{
				file: "keys.go", old: "func textTag(text string) string { return",
				new: "func textTag(text string) string {\n\tif strings.Contains(text, \"@\") {\n\t\treturn text\n\t}\n\treturn",
			}, {file: "keys.go", old: "linkID(sha256.Sum256([]byte(text))).tag() }", new: "linkID(sha256.Sum256([]byte(text))).tag()\n}"}},
		},
		{
			name: "emails-collide", breaks: "two emails that differ in a sign that keys do not like are one",
			finder: "U-17", cases: "U-1",
			edits: []edit{{
				file: "keys.go", old: "l.key(textTag(email), \"e\")",
				new: "l.key(textTag(strings.NewReplacer(\":\", \"_\", \"{\", \"_\", \"}\", \"_\").Replace(email)), \"e\")",
			}},
		},
		{
			name: "tokens-outlive-user", breaks: "a token of a deleted user is good for who gets the id next",
			finder: "U-16 a token goes", cases: "U-16",
			edits: []edit{{file: "keys.go", old: "l.sessions(tag), l.tokens(tag), l.password(tag)}", new: "l.sessions(tag), l.password(tag)}"}},
		},
	}
}

func linkMutants() []mutant {
	return []mutant{
		{
			name: "guard-in-two-steps", breaks: "two removals at once leave a user with no way to log in",
			finder: "O-8", cases: "O-7|O-8|A9|W-7",
			edits: []edit{
				{file: "lua/link_remove.lua", old: "if #doomed > 0 then", new: "if ARGV[2] == '' and #doomed > 0 then"},
				{
					file: "links.go", old: "out, err := l.eval(ctx, op, scriptLinkRemove, keys, userCheck(r.userID), guard, r.group, r.field, r.nonce)",
					new: `out, err := l.eval(ctx, op, scriptLinkRemove, keys, userCheck(r.userID), guard, r.group, r.field, r.nonce)
	if guard != "" && err == nil && out[0] == replyOK {
		out, err = l.eval(ctx, op, scriptLinkRemove, keys, userCheck(r.userID), "", r.group, r.field, r.nonce)
	}`,
				},
			},
		},
		{
			name: "second-link-unlisted", breaks: "an account or passkey is in no list, and unlinking does not reach it",
			finder: "O-5", cases: "O-|W-",
			edits: []edit{
				{file: "lua/link_list.lua", old: "local reply = {'ok'}", new: "local reply, seen = {'ok'}, {}"},
				{file: "lua/link_list.lua", old: "if l.state == 'a' then reply[#reply + 1] = raw end", new: "if l.state == 'a' and not seen[l.group] then reply[#reply + 1] = raw end\n  seen[l.group] = true"},
				{file: "lua/link_remove.lua", old: "if (ARGV[3] == ''", new: "if #doomed == 0 and (ARGV[3] == ''"},
			},
		},
		{
			name: "passkey-not-counted", breaks: "a user with a passkey is refused to unlink the only account",
			finder: "O-7 an account is unlinked while there is a passkey", cases: "O-7|W-7",
			edits: []edit{{file: "lua/link_remove.lua", old: "not has_link(KEYS[3])", new: "true"}},
		},
	}
}

func cacheMutants() []mutant {
	return []mutant{
		{
			name: "fill-ignores-invalidation", breaks: "who has read before an update caches the old user after it",
			finder: "C-3", cases: "C-",
			edits: []edit{{file: "lua/cache_fill.lua", old: "if floor and version < floor then return {'refused'} end", new: ""}},
		},
		{
			name: "fill-replaces-newer", breaks: "an older copy takes the place of a newer one",
			finder: "C-7", cases: "C-",
			edits: []edit{{file: "lua/cache_fill.lua", old: "if there and version < there then return {'refused'} end", new: ""}},
		},
	}
}
