/** Whether a job's exports can be written: each names a place, and a step whose rows leave the job. */
import { isTerminal, type Job } from "./job.ts"
import { faultUnless, type PlanFault } from "./plan-error.ts"
import type { Export } from "./release.ts"

/** Faults of `release`; none for a job without one. */
export const checkRelease = (job: Job): ReadonlyArray<PlanFault> => {
  const exports: ReadonlyArray<Export<any>> = job.options.release?.exports ?? []
  return exports.flatMap((one, index) => [...checkPlace(one), ...checkStepOf(job, one), ...checkTwin(exports.slice(0, index), one)])
}

const checkPlace = ({ format, folder }: Export<any>): ReadonlyArray<PlanFault> =>
  faultUnless(typeof folder === "function" || folder.trim() !== "", {
    step: "job",
    problem: `an export as ${format} names no folder`,
    remedy: `name one: "exports/mail-triage"`
  })

const checkStepOf = (job: Job, { format, step }: Export<any>): ReadonlyArray<PlanFault> => {
  if (step === null) return []
  const name = job.names.get(step)
  return name === undefined
    ? faultUnless(false, {
        step: "job",
        problem: `an export as ${format} is of a step that the job doesn't have`,
        remedy: "list the step in steps, or drop it from the export"
      })
    : faultUnless(isTerminal(job, step), {
        step: "job",
        problem: `an export as ${format} is of ${name}, whose rows go on to another step`,
        remedy: "export a step that the job ends with: only its rows are released"
      })
}

const checkTwin = (before: ReadonlyArray<Export<any>>, { format, folder, step }: Export<any>): ReadonlyArray<PlanFault> =>
  faultUnless(
    !before.some(
      (other) => other.format === format && other.folder === folder && (other.step === null || step === null || other.step === step)
    ),
    {
      step: "job",
      problem: `two exports write the same ${format} file`,
      remedy: "give each a folder, a format or a step of its own"
    }
  )
