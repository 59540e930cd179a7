// The text of `sluice --help`: every command and option that config/command-line.ts takes.

/** What `sluice --help` prints. */
export const HELP_TEXT = `Sluice: a streaming gateway for LLMs.

Usage: sluice <command> [options]

Commands:
  start            start the gateway (the default)
  check            check the configuration and print it as it takes effect, secrets masked
  simulate         start a local model that streams text, for trying things out
  keys             create, list, show, update, rotate and revoke gateway keys of a running gateway (ADMIN_KEY)
  teams            create, list, show, update and delete teams of a running gateway (ADMIN_KEY)
  budgets          create, list, show, update, adjust and delete budgets of a running gateway (ADMIN_KEY)
  streams          list and cancel the open requests of a running gateway (ADMIN_KEY)
  providers        list, pause and resume the providers of a running gateway (ADMIN_KEY)
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
      --uneven                 two or three tokens at a time, as from a busy provider
      --faults FILE            script of faults

Options of keys create NAME, list, show NAME, update NAME, rotate NAME, revoke NAME:
      --team NAME              create, update: the key's team; list: keys of this team alone
      --models A,B             create, update: models it may use, * is a wildcard (default: all)
      --budget A/PERIOD,...    create, update: what it may spend, such as 50/month (dollars) or 1000000tokens/day
      --tags A,B               create, update: its tags
      --requests-per-minute N  create, update: a limit, as are
      --tokens-per-minute N
      --concurrency N
      --expires-at TIME        create, update: ISO 8601
      --disable, --enable      create, update: its requests are refused, or accepted again
                               update: what is not given stays; "none" removes a team, budgets, tags, a limit, an expiry
      --overlap-ms N           rotate: how long the secret before stays valid (default: one day)
      --url URL                address of the admin API (default: that of the configuration)
  -c, --config FILE            configuration file
      --json                   print JSON, for scripts

Options of teams create NAME, list, show NAME, update NAME, delete NAME:
      --models, --budget, --requests-per-minute, --tokens-per-minute, --concurrency, --disable, --enable, --url,
      -c, --config, --json     as for keys

Options of budgets create NAME, list, show NAME, update NAME, adjust NAME, delete NAME:
      --scope SCOPE   create: gateway, team:NAME, key:NAME, model:GLOB, tag:TAG, user, user:team:NAME or user:key:NAME
      --per PERIOD    create: hour, day, week, month or total
      --usd N, --tokens N
                      create, update: how much may be spent; adjust: how much is added, --usd=-5 refunds
      --reason TEXT   adjust: why, for the audit
      --user USER     show, adjust: the part of this end user
      --url URL, -c, --config FILE, --json
                      as for keys

Options of streams list, cancel ID:
      --key NAME, --model NAME
                      list: requests of this key or model alone
      --url URL, -c, --config FILE, --json
                      as for keys

Options of providers list, pause NAME, resume NAME:
      --url URL, -c, --config FILE, --json
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
