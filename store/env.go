package store

import "fmt"

// EnvPrefix begins the name of every variable that ConfigFromEnv reads.
const EnvPrefix = "TORII_REDIS_"

// ConfigFromEnv reads a configuration from variables of the environment, as
// [os.LookupEnv] knows them. TORII_REDIS_URLS, or TORII_REDIS_URL, is one URL as
// ParseURL reads it, or host:port entries with commas between them; it is
// required. Each field has a variable, whose name is that of ParseURL's parameter
// in capitals, such as TORII_REDIS_PASSWORD, TORII_REDIS_CLUSTER_MODE and
// TORII_REDIS_POOL_SIZE; it wins over what the URL says. An empty variable counts
// as none.
//
// What it returns has been checked as Open would; an error, which wraps
// ErrInvalid, names the variable and never repeats its value where it may be
// secret. Variables that it does not know are left alone: under such a prefix an
// orchestrator may put its own, as Kubernetes does for a service of that name.
func ConfigFromEnv(lookup func(name string) (value string, ok bool)) (Config, error) {
	cfg, err := configFromEnv(lookup)
	if err != nil {
		return Config{}, during("read configuration from the environment", refusal(err))
	}
	return cfg, nil
}

func configFromEnv(lookup func(string) (string, bool)) (Config, error) {
	r := newReading(setting.variable)
	if err := r.takeURL(lookup); err != nil {
		return Config{}, err
	}
	for _, s := range settings() {
		value, _ := lookup(s.variable())
		if value == "" || s.field == "URLs" {
			continue
		}
		if err := r.take(s, s.variable(), value); err != nil {
			return Config{}, err
		}
	}
	return r.finish()
}

// takeURL reads the one of the two variables that is set. The others win over
// it, so it comes first.
func (r *reading) takeURL(lookup func(string) (string, bool)) error {
	const short, long = EnvPrefix + "URL", EnvPrefix + "URLS"
	one, _ := lookup(short)
	many, _ := lookup(long)
	name := long
	switch {
	case one != "" && many != "":
		return fmt.Errorf("%s and %s are both set; leave one out", short, long)
	case one != "":
		name = short
	case many == "":
		return fmt.Errorf("%s: no server address given; want for example redis://host:6379", long)
	}
	if err := r.setURLs(or(one, many)); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	r.within(name)
	r.written["URLs"] = name
	return nil
}
