// A process that makes or migrates the tables of accounts, and says so. Run with: STORE (`sqlite` or `postgres`), DATABASE (a path or URL).
import { openPostgres } from '../../src/accounts/database/postgres.js'
import { openAccountsFile } from '../../src/accounts/database/sqlite.js'

const [store, database = ''] = process.argv.slice(2)
process.stdout.write('ready\n')
const opened = store === 'sqlite' ? openAccountsFile(database) : openPostgres(database)
await opened.prepare()
process.stdout.write('prepared\n')
await opened.close()
