/** nightshift's only door: what a job file imports, and below it what the runtime needs to run one. */
export { aggregate } from "./aggregate.ts"
export type { Database, Reader } from "./aggregate.ts"
export { classifications } from "./classification.ts"
export type { Classification } from "./classification.ts"
export type { Evaluation, EvaluationDefinition, Labelled } from "./evaluation.ts"
export { infer } from "./infer.ts"
export { isTerminal, job } from "./job.ts"
export type { Job, Needs } from "./job.ts"
export { join } from "./join.ts"
export { anthropic, local, modelSteps, openai, openaiCompatible } from "./model.ts"
export type { Cascade, LocalFunction, Model, ModelMessage, ModelRequest, ModelTier, OpenAiApi, Price } from "./model.ts"
export { partition } from "./partition.ts"
export type { PartitionOptions, Tier } from "./partition.ts"
export { compile, modelVersion, promptDigest, stepsInOrder } from "./plan.ts"
export type { Plan, PlannedExport, PlannedModel, PlannedStep } from "./plan.ts"
export { PlanError } from "./plan-error.ts"
export type { PlanFault } from "./plan-error.ts"
export { count, countBy, mean, sum } from "./reducer.ts"
export type { Reducer } from "./reducer.ts"
export { toCsv, toJsonl, toParquet } from "./release.ts"
export type { Export, ExportContext, ExportFormat } from "./release.ts"
export { report } from "./report.ts"
export { cron, usd } from "./schedule.ts"
export type { Cron, Usd } from "./schedule.ts"
export { csv, files, jsonl, parquet, sql, stream } from "./source.ts"
export type { RunContext, SourceFile, SourceOptions } from "./source.ts"
export { definitionOf } from "./step.ts"
export type {
  Answer,
  Answers,
  AggregateDefinition,
  Definition,
  Eventually,
  InferDefinition,
  JoinDefinition,
  Override,
  PartitionDefinition,
  Partitions,
  PlainSchema,
  Report,
  ReportDefinition,
  RuleDefinition,
  Source,
  SourceDefinition,
  SourceFormat,
  Step,
  Summary,
  ValidateDefinition,
  WhenDefinition
} from "./step.ts"
export { dataOf, each, given, promptShape, render, system, user } from "./template.ts"
export type { Data, Message, Shape } from "./template.ts"
export { deadLetter, flag, retry, review, validate, when } from "./validate.ts"
export type { Rule, Verdict } from "./validate.ts"
export { columnsOf, jsonSchemaOf } from "./columns.ts"
export type { Columns, FlatColumn, Json, JsonSchema } from "./columns.ts"
export { canonicalJson, digest } from "./digest.ts"
