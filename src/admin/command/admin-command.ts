// The commands of a shell that are calls of the admin API of a running gateway.
import { type AdminCommand } from '../../config/sources/admin-commands.js'
import { runBudgets } from './budgets-command.js'
import { runKeys } from './keys-command.js'
import { runProviders } from './providers-command.js'
import { runSpend } from './spend-command.js'
import { runStreams } from './streams-command.js'
import { runTeams } from './teams-command.js'

/**
 * Runs one command and prints its result: JSON for programs, or lines for people.
 * @throws misconfigured with what is missing, or what the gateway says
 */
export function runAdminCommand(command: AdminCommand, print: (line: string) => void): Promise<void> {
  switch (command.kind) {
    case 'keys':
      return runKeys(command.options, print)
    case 'teams':
      return runTeams(command.options, print)
    case 'budgets':
      return runBudgets(command.options, print)
    case 'streams':
      return runStreams(command.options, print)
    case 'providers':
      return runProviders(command.options, print)
    case 'spend':
      return runSpend(command.options, print)
  }
}
