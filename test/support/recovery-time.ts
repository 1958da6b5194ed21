/** How long a resume takes until something more is durable than before: the recovery time of disaster plans, printed and not promised. */
import { onlyRun, openFiles, runFiles, type Ended, type RunningCommand } from "./run-command.ts"

export interface Recovered {
  readonly ended: Ended
  /** From the command's start to its first durable commit of items. */
  readonly rtoMs: number
}

/** Starts a resume, waits for its end, and prints its recovery time under the name of what it recovered from. */
export const timedResume = async (mode: string, state: string, resume: () => RunningCommand): Promise<Recovered> => {
  const began = Date.now()
  const ended = await resume().ended
  using files = await openFiles(runFiles(state, onlyRun(state)), "read_write")
  const [row] = await files.rows(`select epoch_ms(min(committed_at)) as first from state.commits where epoch_ms(committed_at) >= ${began}`)
  const rtoMs = Number(row?.["first"] ?? Number.NaN) - began
  console.log(`RTO ${mode}: ${(rtoMs / 1_000).toFixed(2)} s from the resume to the first new checkpoint`)
  return { ended, rtoMs }
}
