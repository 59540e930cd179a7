// The text of `sluice --help`: every command and option that config/command-line.ts takes.

/** What `sluice --help` prints. */
export const HELP_TEXT = `Sluice: a streaming gateway for LLMs.

Usage: sluice <command> [options]

Commands:
  start            start the gateway (the default)
  check            check the configuration and print it as it takes effect, secrets masked
  simulate         start a local model that streams text, for trying things out
  keys             create, list, show, rotate and revoke gateway keys of a running gateway (ADMIN_KEY)
  teams            create, list, show and delete teams of a running gateway (ADMIN_KEY)
  spend            print what the keys of a running gateway have spent (ADMIN_KEY)
  import litellm FILE
                   print a configuration file for what a configuration of LiteLLM says
  webhook verify   tell whether the signature of a webhook that was received is good

Options of start and check:
  -c, --config FILE      configuration file, YAML or JSON (default: SLUICE_CONFIG, else ./sluice.yaml if it is there)
      --host HOST        address to listen on
      --port PORT        port to listen on
      --threads N        number of event loops
      --log-level LEVEL  trace, debug, info, warn, error or silent

Options of simulate:
      --port PORT              port to listen on
      --protocol NAME          wire API to speak
      --tokens-per-second N    pace of the answers
      --faults FILE            script of faults

Options of keys create NAME, list, show NAME, rotate NAME, revoke NAME:
      --team NAME              create: the key's team; list: keys of this team alone
      --models A,B             create: models it may use, * is a wildcard (default: all)
      --budget A/PERIOD,...    create: what it may spend, such as 50/month (dollars) or 1000000tokens/day
      --tags A,B               create: its tags
      --requests-per-minute N  create: a limit, as are
      --tokens-per-minute N
      --concurrency N
      --expires-at TIME        create: ISO 8601
      --overlap-ms N           rotate: how long the secret before stays valid (default: one day)
      --url URL                address of the admin API (default: that of the configuration)
  -c, --config FILE            configuration file
      --json                   print JSON, for scripts

Options of teams create NAME, list, show NAME, delete NAME:
      --models, --budget, --requests-per-minute, --tokens-per-minute, --concurrency, --url, -c, --config, --json
                               as for keys

Options of spend:
      --by A,B        some of team, key, model, provider, tag, user, day (default: day)
      --from TIME     a day in UTC, or a whole hour in ISO 8601 (default: the first of this month)
      --to TIME       the same, exclusive (default: the end of today)
      --json, --csv   print JSON or CSV, for programs
      --url URL, -c, --config FILE
                      as for keys

Options of webhook verify:
      --id ID                  header webhook-id
      --timestamp SECONDS      header webhook-timestamp
      --signature SIGNATURES   header webhook-signature
      --body FILE              body as it was received (default: standard input)
      --secret SECRET          secret that should have signed it (default: WEBHOOK_SECRET)

  -h, --help     print this text
  -v, --version  print the version

The configuration is put together from defaults, file, environment (.env is loaded) and command line, the later winning.
`
