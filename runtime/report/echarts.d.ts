/** The one-file build has no types of its own. */
declare module "echarts/dist/echarts.esm.min.mjs" {
  export { init } from "echarts"
  export type { BarSeriesOption, EChartsOption, XAXisComponentOption, YAXisComponentOption } from "echarts"
}
