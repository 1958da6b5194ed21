/** What a run's paid calls cost, as data: by model, and what was saved on the way (CST-4). */

export interface ModelCost {
  /** The checkpointed step of the model. */
  readonly step: string
  readonly model: string
  /** Requests that were sent, failed ones too. */
  readonly calls: number
  /** Of the calls: those whose answer couldn't be used. */
  readonly failed: number
  /** Answers of equal requests, taken instead of a call. */
  readonly reused: number
  /** Cached or not. */
  readonly inputTokens: number
  readonly cacheReadTokens: number
  readonly cacheWriteTokens: number
  /** Thought or said. */
  readonly outputTokens: number
  readonly reasoningTokens: number
  /** Null where no call of it has a known price. */
  readonly costUsd: number | null
}

export interface CostReport {
  /** Remote models only: embedded ones cost nothing. */
  readonly models: ReadonlyArray<ModelCost>
  /** Of what was spent: for answers that couldn't be used. */
  readonly failedUsd: number
  /** Calls that cost something unknown. */
  readonly unpricedCalls: number
  /** Against real time without a cache. Below 0 where writing a cache cost more than reading it saved. */
  readonly savedUsd: { readonly batch: number; readonly caching: number; readonly reuse: number }
}
