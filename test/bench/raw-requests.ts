/** What bare `undici.request` reaches against the fake provider: the same bodies, as many in flight, and nothing done with the answers. */
import { render, type Model } from "nightshift"
import { Agent, request } from "undici"

import type { CallRequest } from "../../runtime/provider/provider.ts"
import { compatibleChat } from "../../runtime/provider/openai-chat.ts"
import { bare, maxTokens, prompt, Topic } from "./paid-bench-job.ts"
import { mailText } from "./run-process.ts"

/** Requests a second. */
export const rawRequests = async (openaiUrl: string, requests: number, inFlight: number): Promise<number> => {
  const bodies = Array.from({ length: requests }, (_, index) => compatibleChat.body(requestOf(bare, mailText(index)), "realtime"))
  const dispatcher = new Agent({ connections: inFlight, pipelining: 1 })
  const headers = { "content-type": "application/json" }
  let next = 0
  const slot = async (): Promise<void> => {
    for (let body = bodies[next++]; body !== undefined; body = bodies[next++]) {
      const reply = await request(`${openaiUrl}/chat/completions`, { method: "POST", headers, body, dispatcher })
      await reply.body.text()
      if (reply.statusCode !== 200) throw new Error(`The fake provider answered ${reply.statusCode}`)
    }
  }
  const began = performance.now()
  await Promise.all(Array.from({ length: inFlight }, slot))
  const seconds = (performance.now() - began) / 1_000
  await dispatcher.destroy()
  return requests / seconds
}

/** What a run asks about such a mail. */
export const requestOf = (model: Model, text: string): CallRequest => ({
  model,
  messages: prompt({ text }).map((message) => ({ role: message.role, text: render(message), data: [] })),
  attempt: 1,
  output: Topic,
  maxTokens,
  temperature: null
})
