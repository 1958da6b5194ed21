/** Items that held or ended the process of an earlier session: where they stop, and what their dead letter says. */
import type { Condemned } from "../store/crash-log.ts"
import type { RowNode } from "./graph.ts"

/** Whether an item stops at this step: where its callback was, or at the first one it would come to where that isn't known. */
export const stopsAt = (node: RowNode, { step }: Condemned): boolean =>
  step === null ? node.kind !== "join" : node.name === step || (node.kind === "infer" && node.models.some((model) => model.step === step))

export const verdictOf = ({ code, callback }: Condemned): { readonly rule: string | null; readonly message: string } => {
  const did = code === "hung" ? "held the process until it was ended" : "ended the process"
  const message =
    callback === null
      ? "The process ended three times while this item was in the job's code, the last time while it ran alone. It was not begun again."
      : `The job's ${callback} ${did}. It was not called again.`
  return { rule: /^rule "(.*)"$/s.exec(callback ?? "")?.[1] ?? null, message }
}
