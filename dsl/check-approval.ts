/** Whether a job's data may go to the models that it asks (SEC-4). */
import { modelsOf } from "./check-step.ts"
import { classifications, type Classification } from "./classification.ts"
import type { Job } from "./job.ts"
import type { Model } from "./model.ts"
import { faultUnless, type PlanFault } from "./plan-error.ts"
import { definitionOf } from "./step.ts"

/** What a model is approved for that doesn't say. */
const approvedDefault: Classification = "internal"

/** Faults of every model that would get data it isn't approved for, or in another region. Embedded models get all: data doesn't leave the process. */
export const checkApproval = (job: Job): ReadonlyArray<PlanFault> => {
  const { classification, regions } = job.options
  return [
    ...faultUnless(regions === undefined || (regions.length > 0 && regions.every((region) => region.trim() !== "")), {
      step: "job",
      problem: "the regions name nothing",
      remedy: 'name where the data may be processed, or leave regions out: ["eu"]'
    }),
    ...[...job.names].flatMap(([step, name]) => {
      const definition = definitionOf(step)
      if (definition.kind !== "infer") return []
      const remote = modelsOf(definition).filter(({ engine }) => engine !== "local")
      return remote.flatMap((model) => [
        ...checkClassification(name, model, classification),
        ...(regions === undefined ? [] : checkRegion(name, model, regions))
      ])
    })
  ]
}

const checkClassification = (
  step: string,
  { name, approvedFor = approvedDefault }: Model,
  classification: Classification
): ReadonlyArray<PlanFault> =>
  // A word that isn't one of the four ranks lowest for a model, and highest for a job.
  faultUnless(classifications.includes(classification) && classifications.indexOf(approvedFor) >= classifications.indexOf(classification), {
    step,
    problem: `the job's data is ${classification}, and model ${name} is approved for ${approvedFor} data`,
    remedy: `ask a model that is approved for it, or, once it is, write approvedFor: "${classification}" on this one`
  })

const checkRegion = (step: string, { name, region }: Model, regions: ReadonlyArray<string>): ReadonlyArray<PlanFault> => {
  const allowed = regions.join(", ")
  return faultUnless(region !== undefined && regions.includes(region), {
    step,
    problem:
      region === undefined
        ? `the job's data stays in ${allowed}, and model ${name} doesn't say where it runs`
        : `the job's data stays in ${allowed}, and model ${name} runs in ${region}`,
    remedy: region === undefined ? "write its region where the account is bound to one of these" : "ask a model of one of these regions"
  })
}
