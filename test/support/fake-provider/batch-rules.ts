/** What OpenAI checks of a batch's file before it works on it. Anthropic's requests were checked when they came. */
import { parseLine } from "./batch-line.ts"
import type { Batch } from "./batch.ts"
import { isJson } from "./question.ts"

/** OpenAI's limits. */
const openaiRequestsMax = 50_000
const openaiBytesMax = 200 * 2 ** 20

/** How many issues a failed batch lists. */
const issuesMax = 100

/** One line by itself and against those before it. */
export const validateLine = (batch: Batch, text: string, line: number): void => {
  const issue = (code: string, message: string, param: string | null = null) => {
    if (batch.issues.length < issuesMax) batch.issues.push({ code, line, message, param })
  }
  const request = parseLine(text)
  if (request === undefined) return issue("invalid_json_line", "This line is not parseable as valid JSON.")
  const { custom_id, method, url, body, params } = request
  if (batch.dialect.vendor === "anthropic") {
    if (isJson(params) && typeof params["model"] === "string") batch.model ??= params["model"]
    batch.remember(String(custom_id))
    return
  }
  if (typeof custom_id !== "string" || custom_id === "") {
    return issue("missing_required_parameter", "Missing required parameter: 'custom_id'.", "custom_id")
  }
  if (custom_id.length > 64) return issue("invalid_custom_id", "The custom_id is longer than 64 characters.", "custom_id")
  if (method !== "POST") return issue("invalid_method", "The method must be POST.", "method")
  if (url !== batch.dialect.path) {
    return issue("url_mismatch", `The URL provided for this request does not match the batch endpoint ${batch.dialect.path}.`, "url")
  }
  if (!isJson(body) || typeof body["model"] !== "string")
    return issue("missing_required_parameter", "Missing required parameter: 'body.model'.", "body")
  batch.model ??= body["model"]
  if (batch.model !== body["model"]) {
    return issue("model_mismatch", `The model ${body["model"]} is not the model of the lines before it: ${batch.model}.`, "body.model")
  }
  if (!batch.remember(custom_id))
    issue("duplicate_custom_id", `The custom_id for this request is a duplicate of another request: ${custom_id}.`, "custom_id")
}

/** The file as a whole, once every line was looked at. */
export const validateWhole = (batch: Batch, queueProblem: string | undefined): void => {
  if (batch.dialect.vendor === "anthropic") return
  const issue = (code: string, message: string) => void batch.issues.push({ code, line: null, message, param: null })
  const { count } = batch.index
  if (count === 0) return issue("empty_file", "The input file is empty. Please ensure that the batch contains at least one request.")
  if (count > openaiRequestsMax)
    issue("too_many_tasks", `The batch input file contains too many requests: ${count} > ${openaiRequestsMax}.`)
  if (batch.bytes > openaiBytesMax) issue("file_too_large", `The batch input file is larger than ${openaiBytesMax} bytes.`)
  if (queueProblem !== undefined && batch.issues.length === 0) {
    issue(
      "token_limit_exceeded",
      `Enqueued token limit reached for ${batch.model} in organization org-fake. ${queueProblem}. ` +
        "Please try again once some in_progress batches have been completed."
    )
  }
}
