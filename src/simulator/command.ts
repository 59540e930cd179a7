// `sluice simulate`: the simulator as a command. Takes parsed arguments, prints through the function it is given, and never
// ends the process.
import { type JsonValue } from '../model/json.js'
import { readFaultRules } from './faults.js'
import { MODELS } from './persona.js'
import { createSimulator, type Engine, SIM_WIRES, type Simulator } from './simulator.js'

export type SimulateArguments = {
  readonly port: number
  readonly host: string
  /** Wire id; null serves all wires. */
  readonly protocol: string | null
  readonly tokensPerSecond: number | null
  readonly isUneven: boolean
  /** Text of the faults file; null for none. */
  readonly faults: string | null
}

/** The default port of `sluice simulate`: next to the gateway's 3000. */
export const SIMULATE_PORT = 3100

/** Pace of the simulator built into `sluice start`: that of a real model, so that a first curl visibly streams. */
export const BUILT_IN_TOKENS_PER_SEC = 20

/** Starts the simulator and prints its address. Resolves with null, with the reason printed, if it cannot start. */
export async function runSimulate(
  args: SimulateArguments,
  uws: Engine,
  print: (line: string) => void,
): Promise<Simulator | null> {
  if (args.protocol !== null && !SIM_WIRES.some((wire) => wire.id === args.protocol)) {
    print(`Unknown protocol ${JSON.stringify(args.protocol)}; known: ${SIM_WIRES.map((wire) => wire.id).join(', ')}.`)
    return null
  }
  const faults = args.faults === null ? [] : readFaults(args.faults)
  if (typeof faults === 'string') {
    print(`Faults: ${faults}.`)
    return null
  }
  const { host, protocol, tokensPerSecond, isUneven } = args
  const simulator = createSimulator({
    uws,
    host,
    faults,
    tokensPerSecond,
    isUneven,
    ...(protocol === null ? {} : { protocols: [protocol] }),
  })
  try {
    const port = await simulator.listen(args.port)
    const pace = tokensPerSecond === null ? 'unpaced' : `${tokensPerSecond} tokens/s`
    print(`Simulator on http://${host}:${port} (${protocol ?? 'all protocols'}, ${pace}), models: ${MODELS.join(', ')}`)
    return simulator
  } catch (error) {
    print(error instanceof Error ? error.message : String(error))
    return null
  }
}

/** Returns a string with the reason if the text is invalid. */
function readFaults(text: string): ReturnType<typeof readFaultRules> {
  try {
    return readFaultRules(JSON.parse(text) as JsonValue)
  } catch {
    return 'the faults file is not valid JSON'
  }
}
