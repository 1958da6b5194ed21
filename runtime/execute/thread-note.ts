/**
 * Which of the job's functions has the thread, noted in memory that the watchdog's own thread reads: a function that never returns leaves no other
 * way to be told of. There is one thread for job code in a process, and so one note.
 */

/** A call of the job's code. */
export interface CallSite {
  /** The item it is about; null outside of items. */
  readonly seq: number | null
  readonly step: string
  /** Which function: `prompt`, `rule "short"`, `model small`, … */
  readonly callback: string
}

/** Places of the note, each a 32-bit integer. */
export const noteAt = { calls: 0, site: 1, seq: 2, beats: 3, flights: 4, isInspected: 5 } as const

export const threadNote = new Int32Array(new SharedArrayBuffer(64))

/** Names of sites, by the number in the note; 0 is nobody's. */
const names: Array<Omit<CallSite, "seq">> = [{ step: "", callback: "" }]
const numbers = new Map<string, Map<string, number>>()
const listeners = new Set<(number: number, name: Omit<CallSite, "seq">) => void>()

/** Calls a function of the job. Costs about 50 ns; what it throws passes through. */
export const onThread = <A>({ seq, step, callback }: CallSite, call: () => A): A => {
  threadNote[noteAt.seq] = seq ?? -1
  threadNote[noteAt.site] = numbers.get(step)?.get(callback) ?? numberOf(step, callback)
  Atomics.add(threadNote, noteAt.calls, 1)
  try {
    return call()
  } finally {
    threadNote[noteAt.site] = 0
  }
}

/** Who has the thread now: null while it is the runtime itself. */
export const currentSite = (): CallSite | null => {
  const name = names[threadNote[noteAt.site] ?? 0]
  const seq = threadNote[noteAt.seq] ?? -1
  return name === undefined || name.callback === "" ? null : { ...name, seq: seq < 0 ? null : seq }
}

/** Tells of every site so far, and of each new one before it is called. Returns how to stop. */
export const onSites = (listen: (number: number, name: Omit<CallSite, "seq">) => void): (() => void) => {
  names.forEach((name, number) => listen(number, name))
  listeners.add(listen)
  return () => void listeners.delete(listen)
}

const numberOf = (step: string, callback: string): number => {
  const number = names.push({ step, callback }) - 1
  const ofStep = numbers.get(step) ?? new Map<string, number>()
  numbers.set(step, ofStep.set(callback, number))
  for (const listen of listeners) listen(number, { step, callback })
  return number
}
