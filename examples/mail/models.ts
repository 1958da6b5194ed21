/** The two spam filters as models of a job: functions of our own, which cost nothing and run in the run's process. */
import { local, type ModelRequest } from "nightshift"

import { filters } from "./spam-filter.ts"

/** Cheap: sees the sender and the subject. */
export const envelope = local("envelope", async (request) => (await filters()).byEnvelope(partsOf(request)))

/** Ten times the work: sees the text too. */
export const content = local("content", async (request) => (await filters()).byContent(partsOf(request)))

/** What stands in the holes of a prompt that shows sender, subject and text, in this order. */
const partsOf = ({ data }: ModelRequest) => {
  const [from = "", subject = "", body = ""] = data.map(String)
  return { from, subject, body }
}
