/**
 * What a person is told of an account whose calls fail, and when waiting is in vain.
 *
 * An outage is waited out: the provider comes back by itself. A server that can't be reached at all is more often a wrong address, which
 * never does. So a run whose account answered nothing since the session began, and whose calls all found no server (connection refused,
 * no such host, no route), stops half a minute after the first failure: items stay open, nothing was paid, `runtime resume` goes on. Half
 * a minute is for a server that starts together with the run. Once anything came back, be it a 503, the address is right and is waited for.
 */
import type { Model } from "../../dsl/index.ts"
import type { ProviderError } from "../provider/provider-error.ts"

const graceMs = 30_000
/** Between one notice and the next of the same trouble; doubles. */
const noticeMsFirst = 30_000
const noticeMsMax = 1_800_000

export interface AccountTroubleOptions {
  readonly run: string
  readonly model: Pick<Model, "engine" | "account">
  readonly baseUrl: string
  /** Epoch ms. */
  readonly now: () => number
  /** Whether calls are held back: short of that, a failure now and then is no news. */
  readonly isPaused: () => boolean
  readonly tell: (text: string) => void
}

export class AccountTrouble {
  readonly #options: AccountTroubleOptions
  /** Whether anything came back since the session began. */
  #isKnown = false
  /** Of the trouble at hand. */
  #since: number | null = null
  #noticeAt = 0
  #noticeMs = noticeMsFirst

  constructor(options: AccountTroubleOptions) {
    this.#options = options
  }

  /** A call was answered, whatever the answer. */
  answered(): void {
    this.#isKnown = true
    this.#since = null
  }

  /** A call met an outage. Whether waiting is in vain. */
  failed(error: ProviderError): boolean {
    const now = this.#options.now()
    const isUnreachable = error.reason === "unreachable"
    if (!isUnreachable) this.#isKnown = true
    if (this.#since === null) {
      this.#since = now
      this.#noticeAt = now
      this.#noticeMs = noticeMsFirst
    }
    return isUnreachable && !this.#isKnown && now - this.#since >= graceMs
  }

  /** After `failed`, and after the breaker heard of it: tells of the failure where that is news. */
  tell(error: ProviderError): void {
    const now = this.#options.now()
    const isNews = error.reason === "unreachable" || this.#options.isPaused()
    if (this.#since !== null && isNews && now >= this.#noticeAt) this.#notice(error, now - this.#since)
  }

  #notice(error: ProviderError, ms: number): void {
    const { run, model, baseUrl, now, tell } = this.#options
    this.#noticeAt = now() + this.#noticeMs
    this.#noticeMs = Math.min(noticeMsMax, this.#noticeMs * 2)
    const lasting = ms < 1_000 ? "" : ` for ${Math.round(ms / 1_000)} s now`
    const patience = this.#isKnown
      ? "It is tried again, and the run goes on by itself"
      : `It is tried for ${graceMs / 1_000} s, then the run stops`
    tell(
      error.reason === "unreachable"
        ? `Run ${run} can't reach ${baseUrl} of account "${model.account}"${lasting}: ${error.detail}. ${patience}. ` +
            `If the address is wrong: Ctrl-C, mend ${addressOf(model)}, then \`runtime resume ${run}\`.`
        : `Run ${run} waits for ${baseUrl} of account "${model.account}"${lasting}, which fails: ${error.detail}. ` +
            `${patience}; Ctrl-C stops it, and \`runtime resume ${run}\` continues later.`
    )
  }
}

/** Where the address of an account is written. */
const addressOf = ({ engine, account }: Pick<Model, "engine" | "account">): string => {
  const inFile = `"baseUrl" of "${account}" in accounts.json`
  if (engine === "openai-compatible") return `the model's baseUrl in the job, or ${inFile}`
  return `${engine === "openai" ? "OPENAI_BASE_URL" : "ANTHROPIC_BASE_URL"}, or ${inFile}`
}
