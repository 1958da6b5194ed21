/** What is wrong with a job, found before anything is spent. */

/** One fault: which step, what is wrong, what to do. */
export interface PlanFault {
  /** The step's name; `job` for what belongs to none. */
  readonly step: string
  readonly problem: string
  readonly remedy: string
}

/** None, or the one fault. */
export const faultUnless = (holds: boolean, fault: PlanFault): ReadonlyArray<PlanFault> => (holds ? [] : [fault])

/** All faults of one job at once. */
export class PlanError extends Error {
  readonly _tag = "PlanError"
  readonly job: string
  readonly faults: ReadonlyArray<PlanFault>
  constructor(job: string, faults: ReadonlyArray<PlanFault>) {
    super(
      `Job "${job}" does not compile: ${faults.length === 1 ? "one fault" : `${faults.length} faults`}, nothing was run.\n` +
        faults.map(({ step, problem, remedy }) => `  ${step}: ${problem}\n    → ${remedy}`).join("\n")
    )
    this.job = job
    this.faults = faults
  }
}
