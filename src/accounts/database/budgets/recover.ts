// A start: what processes have left that were killed is added to the database, and who they were is remembered until Redis was told.
import { type Commits } from '../commits.js'
import { deleteJournals, markNode, nodesIn, replayJournals, unmarkNodes } from './replay.js'
import { endNodes } from './shares.js'
import { forgetJournals } from './spend.js'

export type RecoverOptions = {
  /** The folder, which nobody else uses. */
  readonly journal: string
  /** This process, if others spend from the same budgets. */
  readonly node: string | null
  readonly nowMs: () => number
}

/**
 * Before the directory is filled with what is spent.
 * @throws misconfigured where the folder cannot be read, or a journal of it
 */
export async function recoverJournals(run: Commits['run'], { journal, node, nowMs }: RecoverOptions): Promise<void> {
  const { ids, nodes } = await run(async (db) => {
    const replayed = await replayJournals(db, journal)
    // This one's own mark is from a start that the database has interrupted.
    const ended = nodesIn(journal, replayed).filter((id) => id !== node)
    await endNodes(db, ended, nowMs())
    return { ids: replayed, nodes: ended }
  })
  deleteJournals(journal, ids)
  unmarkNodes(journal, nodes)
  await run((db) => forgetJournals(db, ids))
  if (node !== null) markNode(journal, node)
}
