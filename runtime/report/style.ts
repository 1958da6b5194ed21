/** How the page looks: one calm sheet, in light, dark and print. */
import { Html } from "./markup.ts"

/** For one `<style>` element. */
export const style = new Html(`
:root{color-scheme:light dark;
--paper:#fdfdfb;--card:#f5f5f1;--ink:#1d2226;--soft:#5d666f;--line:#dcddd8;--accent:#41749f;--quiet:#9db0c1;
--delivered:#4481b5;--skipped:#a2a9ae;--held:#8767ab;--review:#c98a0c;--dead:#bd3d2a;--flag:#7d8a2e;--unfinished:#dfe1de;
--good:#1c6b4c;--good-back:#dcefe5;--warn:#7a4f00;--warn-back:#f8ebcd;--bad:#a02817;--lost:var(--bad);--bad-back:#fae0db}
@media screen and (prefers-color-scheme:dark){:root{
--paper:#15181b;--card:#1d2125;--ink:#e6e8e9;--soft:#9ba4ac;--line:#31373c;--accent:#5c91c2;--quiet:#566879;
--delivered:#528ec6;--skipped:#737b82;--held:#a68bc9;--review:#d19d38;--dead:#dd6a56;--flag:#a3b04e;--unfinished:#363d43;
--good:#83d1ae;--good-back:#173528;--warn:#ecc371;--warn-back:#3a2d10;--bad:#f39a8a;--bad-back:#45201a}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;
font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
main,footer{max-width:1224px;margin:0 auto;padding:0 clamp(16px,3vw,32px)}
main{padding-top:clamp(20px,3vw,40px)}
footer{padding-top:24px;padding-bottom:32px;color:var(--soft);font-size:13px}
h1,h2,h3,h4,h5,h6,p,ul,ol,dl,dd,figure,pre{margin:0;padding:0}
h1{font-size:clamp(22px,2.6vw,32px);line-height:1.2;letter-spacing:-.015em;font-weight:650;text-wrap:balance;margin:10px 0 8px}
h1 span{display:inline-block;white-space:pre-wrap}
h2{font-size:15px;line-height:1.35;font-weight:650}
h3,h4,h5,h6{font-size:13px;font-weight:600;margin:14px 0 4px}
code,pre{font:13px/1.5 ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace}
.soft,figcaption p{color:var(--soft)}
.over{display:flex;flex-wrap:wrap;align-items:center;gap:4px 12px;font-size:14px}
.chip{border-radius:99px;padding:1px 10px;font-weight:600;font-size:13px;-webkit-print-color-adjust:exact;print-color-adjust:exact}
.chip.good{color:var(--good);background:var(--good-back)}.chip.open{color:var(--warn);background:var(--warn-back)}.chip.bad{color:var(--bad);background:var(--bad-back)}
.lead{color:var(--soft);font-size:16px;max-width:76ch}
svg{display:block;width:100%;height:auto}
svg text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;font-variant-numeric:tabular-nums}
.wide{display:none}
.outcome{margin-top:22px}

.bar svg{height:26px;border-radius:5px}
.outcome ul{list-style:none;display:flex;flex-wrap:wrap;gap:4px 22px;margin-top:10px}
.outcome li.zero,.outcome .zero b{color:var(--soft);font-weight:400}
.swatch{display:inline-block;width:10px;height:10px;border-radius:3px;margin-right:7px;-webkit-print-color-adjust:exact;print-color-adjust:exact}
.delivered{background:var(--delivered)}.skipped{background:var(--skipped)}.held{background:var(--held)}.review{background:var(--review)}
.dead{background:var(--dead)}.flag{background:var(--flag)}.unfinished{background:var(--unfinished)}.lost{background:var(--lost)}
.split,.plots,.thirds{display:grid;grid-template-columns:minmax(0,1fr);gap:26px 28px;margin-top:34px}
main>section:not(.outcome){margin-top:34px}
.said>*+*{margin-top:8px}.said p,.said ul,.said ol{max-width:72ch}.said ul,.said ol{padding-left:20px}
.said :is(h3,h4){font-size:15px}.said section+section{margin-top:24px}.said pre,.values pre{overflow-x:auto;background:var(--card);border-radius:6px;padding:10px 12px}
.said blockquote{margin:0;padding-left:12px;border-left:3px solid var(--line);color:var(--soft)}.said hr{border:0;border-top:1px solid var(--line)}
.address{color:var(--soft)}
.next ol{list-style:none;margin-top:8px;display:grid;gap:10px}
.next code{display:block;background:var(--card);border-radius:6px;padding:6px 10px}
.next span{display:block;color:var(--soft);font-size:13px;padding:3px 10px 0}
figcaption{margin-bottom:10px}figcaption p{font-size:13px}
figure svg{max-width:480px}
.card{border-top:2px solid var(--line);padding-top:12px}
main>.alarm{border:2px solid var(--bad);border-radius:8px;padding:12px 14px;background:var(--bad-back)}
.equations{list-style:none;margin:8px 0}
.equations li{position:relative;padding-left:24px;margin-bottom:6px}
.equations li::before{position:absolute;left:0;font-weight:700}
.holds::before{content:"✓";color:var(--good)}.waits::before{content:"…";color:var(--warn)}.broken::before{content:"✗";color:var(--bad)}
.ids{font-size:13px;margin-top:6px}
dl{display:grid;gap:3px;margin-top:8px}
dl div{display:grid;grid-template-columns:minmax(84px,auto) minmax(0,1fr);gap:12px}
.thirds dl div{grid-template-columns:92px minmax(0,1fr)}
.blocks-of{display:flex;flex-wrap:wrap;gap:4px 44px}.blocks-of>div{min-width:min(100%,210px);max-width:100%}.blocks-of h4{margin:8px 0 0}.blocks-of table{margin-top:0}
.values dl{gap:0}.values dl div{grid-template-columns:minmax(0,1fr) auto;border-bottom:1px solid var(--line);padding:5px 0}
.values h2 .soft{font-weight:400}
.values dd{text-align:right}
dt{color:var(--soft)}
.meter{position:relative;height:10px;border-radius:5px;background:var(--unfinished);margin:10px 0 12px;-webkit-print-color-adjust:exact;print-color-adjust:exact}
.meter i{display:block;height:100%;border-radius:5px;background:var(--accent);-webkit-print-color-adjust:exact;print-color-adjust:exact}
.meter b{position:absolute;top:-4px;bottom:-4px;width:2px;background:var(--ink)}
.slos ul{list-style:none;display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,200px),1fr));gap:12px 28px;margin-top:10px}
.slos li{border-top:3px solid var(--line);padding-top:8px}.slos li.met{border-color:var(--delivered)}.slos li.missed{border-color:var(--review)}.slos li.bad{border-color:var(--dead)}
.slos li>*{display:block}.slos li>span{font-size:13px}.slos b{font-size:20px;font-weight:650;line-height:1.3}.slos .sign{font-weight:600}
.met .sign{color:var(--good)}.missed .sign{color:var(--warn)}.bad .sign{color:var(--bad)}.unknown .sign{color:var(--soft)}
.timeline ol{list-style:none;margin-top:10px;display:grid;gap:2px 28px;grid-template-columns:repeat(auto-fill,minmax(min(100%,340px),1fr))}
.timeline li{display:grid;grid-template-columns:70px 112px minmax(0,1fr);font-size:14px}.timeline .since{font-size:13px;line-height:1.6}
.timeline .alert,.timeline .gate-opened{color:var(--warn)}
.span{position:relative;height:10px;border-radius:5px;background:var(--unfinished);margin:14px 0 30px;-webkit-print-color-adjust:exact;print-color-adjust:exact}
.span i{display:block;height:100%;min-width:4px;border-radius:5px;background:var(--accent)}.span i.late{background:var(--dead)}
.span u{position:absolute;top:-3px;width:4px;margin-left:-2px;height:16px;border-radius:2px;background:var(--review)}
.mark{position:absolute;top:-4px;bottom:-4px;width:2px;background:var(--soft)}.mark.due{background:var(--ink)}
.mark span{position:absolute;top:20px;left:0;transform:translateX(-50%);white-space:nowrap;font-size:12px;font-weight:400;color:var(--soft)}
.mark.end span{transform:none;left:auto;right:0}.mark.escalate span{display:none}.mark.warn span{transform:translateX(-100%)}
table{border-collapse:collapse;width:100%;margin-top:8px;font-size:14px}
th,td{text-align:left;vertical-align:baseline;padding:5px 18px 5px 0;border-bottom:1px solid var(--line)}
th{font-weight:500;color:var(--soft);font-size:13px}
th:last-child,td:last-child{padding-right:0}
.number{text-align:right;white-space:nowrap}
table.narrow{width:auto;min-width:min(100%,210px)}details table.narrow{min-width:min(100%,460px)}
.said table,.values table{width:auto}.values table{min-width:100%}.pair{display:grid;gap:16px;align-content:start}.pair figcaption{margin-bottom:4px}
.scroll{overflow-x:auto}
.places td:first-child{width:32%}
.places th{color:var(--ink);padding-top:12px}
summary{cursor:pointer;font-weight:600}
@media (max-width:559.9px){
.blocks thead{display:none}.blocks tr{display:block;padding:8px 0;border-bottom:1px solid var(--line)}
.blocks-of>div{width:100%}
.blocks tbody{display:block}
.blocks td{display:block;position:relative;padding:1px 0 1px 114px;border:0;text-align:left;white-space:normal}
.blocks td::before{content:attr(data-title);position:absolute;left:0;color:var(--soft);font-size:13px;width:104px}
.places tr,.places td,.places th{display:block;width:auto!important;padding-right:0}.places td:first-child{border:0;padding-bottom:0}
}
@media print,(min-width:560px){.blocks td:nth-child(-n+2){min-width:130px}}
@media print,(min-width:760px){
.wide{display:block}.slim{display:none}
.split{grid-template-columns:minmax(0,1.15fr) minmax(0,1fr)}.split>:only-child{grid-column:1/-1}
.plots{grid-template-columns:repeat(2,minmax(0,1fr))}.double{grid-column:span 2}.plots{grid-auto-flow:dense}
.thirds{grid-template-columns:repeat(2,minmax(0,1fr))}.thirds>.identity{grid-column:2;grid-row:1/span 2}
.next:only-child ol{grid-template-columns:repeat(2,minmax(0,1fr))}
figure svg{max-width:none}
}
@media (min-width:1040px){.plots,.thirds{grid-template-columns:repeat(3,minmax(0,1fr))}.thirds>.identity{grid-column:auto;grid-row:auto}}
@media (min-width:760px){.mark.escalate span{display:block;transform:translateX(-100%)}}
@media print{
@page{margin:14mm}
body{font-size:12px}h1{font-size:22px}h2,.lead{font-size:13px}table,code,pre{font-size:11px}th,td{padding:3px 12px 3px 0}main,footer{padding:0;max-width:none}
figure,.card,.next,tr,li{break-inside:avoid}h2,h4,figcaption{break-after:avoid}
.plots{grid-template-columns:repeat(2,minmax(0,1fr))}
}
`)
