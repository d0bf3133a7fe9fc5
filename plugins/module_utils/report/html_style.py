# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""How the HTML report looks: two palettes and one style sheet.

PRIVATE to the collection: no stability is promised to other users.

The palettes are data, so that a test computes the contrast of every pair of text and ground (WCAG 2.2 AA). A severity or a
status is always written out as well; colour only helps the eye. No font, image or sheet is fetched.
"""

from __future__ import annotations

import typing as t

LIGHT = {
    "ground": "#ffffff",
    "surface": "#f5f6f8",
    "raised": "#ffffff",
    "text": "#1b2027",
    "muted": "#55606c",
    "line": "#dde1e6",
    "edge": "#7a8591",
    "link": "#0b579f",
    "accent": "#2f5f8a",
    "accent-soft": "#a9c3da",
    "track": "#e4e8ec",
    "critical": "#8c1233",
    "on-critical": "#ffffff",
    "high": "#b23c12",
    "on-high": "#ffffff",
    "medium": "#fbecc8",
    "on-medium": "#634500",
    "medium-edge": "#a67c1c",
    "low": "#e5eef6",
    "on-low": "#1f4b6b",
    "low-edge": "#6f93ad",
    "fail": "#9f1c32",
    "unknown": "#6a3d9c",
    "pass": "#1a6a3a",
    "notice": "#fff7e3",
    "notice-edge": "#b58a24",
}
DARK = {
    "ground": "#14171b",
    "surface": "#1b1f24",
    "raised": "#20252b",
    "text": "#e3e7eb",
    "muted": "#a3adb8",
    "line": "#323940",
    "edge": "#7b8794",
    "link": "#86b9f4",
    "accent": "#7fb0dc",
    "accent-soft": "#3f617f",
    "track": "#2c333a",
    "critical": "#ff97a6",
    "on-critical": "#34030f",
    "high": "#f1a474",
    "on-high": "#2d1000",
    "medium": "#3a2f13",
    "on-medium": "#f1cf80",
    "medium-edge": "#94793a",
    "low": "#1d3140",
    "on-low": "#a9cfea",
    "low-edge": "#557b96",
    "fail": "#ff97a6",
    "unknown": "#c9adf3",
    "pass": "#80cd9d",
    "notice": "#2b2615",
    "notice-edge": "#94793a",
}
# What is read on what: the ratio of contrast must be at least so much (1.4.3 for text, 1.4.11 for parts of controls and graphics).
TEXT_CONTRAST = 4.5
GRAPHIC_CONTRAST = 3.0
GROUNDS = ("ground", "surface", "raised")
TEXTS_ON_GROUNDS = ("text", "muted", "link", "fail", "unknown", "pass")
TEXTS_ON_OWN = (
    ("on-critical", "critical"),
    ("on-high", "high"),
    ("on-medium", "medium"),
    ("on-low", "low"),
    ("text", "notice"),
    ("muted", "notice"),
    ("link", "notice"),
)
GRAPHICS = (("edge", "ground"), ("edge", "surface"), ("edge", "raised"), ("accent", "track"), ("link", "ground"))


def _palette(colours: t.Mapping[str, str]) -> str:
    return "".join(f"--{name}:{value};" for name, value in colours.items())


_PALETTES = f"""
:root{{color-scheme:light;{_palette(LIGHT)}}}
@media (prefers-color-scheme:dark){{:root:not([data-theme=light]){{color-scheme:dark;{_palette(DARK)}}}}}
:root[data-theme=dark]{{color-scheme:dark;{_palette(DARK)}}}
"""

_SCREEN = """
*,*::before,*::after{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;text-size-adjust:100%;scroll-padding-top:1rem}
body{margin:0;background:var(--ground);color:var(--text);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Liberation Sans",sans-serif;
  font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
header,main,footer{max-width:76rem;margin:0 auto;padding:0 1.5rem}
h1,h2,h3,h4{line-height:1.25;font-weight:650;letter-spacing:-.006em;text-wrap:balance;margin:0}
h1{font-size:1.75rem}
h2{font-size:1.3rem;margin-bottom:.25rem}
h3{font-size:1.02rem}
h4{font-size:.8125rem;color:var(--muted);font-weight:600;letter-spacing:0}
p{margin:0 0 .75rem;max-width:46rem}
a{color:var(--link);text-underline-offset:.18em;text-decoration-thickness:1px}
code,.mono{font-family:ui-monospace,SFMono-Regular,"SF Mono",Menlo,Consolas,"Liberation Mono","DejaVu Sans Mono",monospace;font-size:.875em}
code{background:var(--surface);border:1px solid var(--line);border-radius:4px;padding:.05em .3em}
ul,ol{margin:0;padding:0;list-style:none}
dl,dd{margin:0}
strong,code,.mono,.found,.place,.where,dd,td,th,option{unicode-bidi:isolate}
strong{display:inline-block;max-width:100%}
.figures+h3{margin:1.75rem 0 .35rem}
:focus-visible{outline:2px solid var(--link);outline-offset:2px;border-radius:3px}
[tabindex="-1"]:focus{outline:none}
[hidden]{display:none!important}
.away{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.skip{position:absolute;left:1rem;top:-4rem;background:var(--raised);border:1px solid var(--edge);padding:.5rem .9rem;border-radius:6px;z-index:2}
.skip:focus{top:1rem}
.muted{color:var(--muted)}
.small{font-size:.875rem}
.nowrap{white-space:nowrap}

header{padding-top:2.25rem;padding-bottom:1rem}
.masthead{display:flex;flex-wrap:wrap;gap:.75rem 1.5rem;align-items:flex-start;justify-content:space-between}
.masthead p{margin:.3rem 0 0;color:var(--muted)}
nav{border-bottom:1px solid var(--line);margin-top:1.25rem}
nav ul{display:flex;flex-wrap:wrap;gap:0 1.35rem}
nav a{display:inline-block;padding:.4rem 0 .55rem;text-decoration:none;font-size:.9375rem}
nav a:hover{text-decoration:underline}
section{padding:1.75rem 0 .5rem}
section>h2+p{color:var(--muted);margin-bottom:1.1rem}

button,select,input{font:inherit;color:inherit}
button{background:var(--raised);border:1px solid var(--edge);border-radius:6px;padding:.3rem .8rem;cursor:pointer;font-size:.9375rem;min-height:2.1rem}
button:hover{background:var(--surface)}
select,input[type=search]{background:var(--raised);border:1px solid var(--edge);border-radius:6px;padding:.35rem .6rem;width:100%;min-height:2.25rem;
  font-size:.9375rem}

.figures{display:grid;grid-template-columns:repeat(3,minmax(0,1fr));gap:1.5rem 2.5rem;margin:.5rem 0 1rem}
.figure{border-top:2px solid var(--text);padding-top:.7rem}
.figure .number{font-size:2.6rem;line-height:1.15;font-weight:650;letter-spacing:-.02em;margin:.1rem 0 .3rem}
.figure .number small{font-size:1.25rem;font-weight:500;letter-spacing:0;color:var(--muted)}
.figure p{margin:.35rem 0 0}
.bar{display:block;width:100%;height:8px;margin:.15rem 0 .5rem}
td .bar{height:5px;margin:.25rem 0 0;max-width:9rem}
.bar .all{fill:var(--track)}.bar .also{fill:var(--accent-soft)}.bar .part{fill:var(--accent)}
.tally{display:flex;flex-wrap:wrap;gap:.4rem .5rem;margin-top:.55rem}
.tally a,.tally span.none{text-decoration:none;color:inherit;display:inline-flex;align-items:center}
.tally a:hover .tag{text-decoration:underline}
td .tally{margin:0;gap:.3rem}

.tag{display:inline-block;font-size:.75rem;line-height:1.35;font-weight:650;border-radius:4px;padding:.14rem .45rem;white-space:nowrap;
  border:1px solid transparent;vertical-align:.08em}
.tag b{font-weight:750}
.critical{background:var(--critical);color:var(--on-critical);border-color:var(--critical)}
.high{background:var(--high);color:var(--on-high);border-color:var(--high)}
.medium{background:var(--medium);color:var(--on-medium);border-color:var(--medium-edge)}
.low{background:var(--low);color:var(--on-low);border-color:var(--low-edge)}
.info{color:var(--muted);border:1px dashed var(--edge)}
.soon{background:var(--medium);color:var(--on-medium);border-color:var(--medium-edge)}
.status{font-size:.875rem;font-weight:600;white-space:nowrap}
.status::before{display:inline-block;width:1.15em;font-weight:700}
.status.fail{color:var(--fail)}.status.fail::before{content:"\\2715"}
.status.waived{color:var(--muted)}.status.waived::before{content:"\\25D0"}
.status.unknown{color:var(--unknown)}.status.unknown::before{content:"?"}
.status.pass{color:var(--pass)}.status.pass::before{content:"\\2713"}
.status.not-applicable{color:var(--muted)}.status.not-applicable::before{content:"\\2013"}

.notice{background:var(--notice);border:1px solid var(--notice-edge);border-radius:8px;padding:.85rem 1.1rem;margin:1rem 0}
.notice h3{margin-bottom:.3rem}
.notice h3+p{margin-bottom:.35rem}
.notice li{padding:.15rem 0}
.notice p:last-child{margin-bottom:0}
.calm{border:1px dashed var(--line);border-radius:8px;padding:.8rem 1.1rem;color:var(--muted);margin:0 0 1rem}

.card{border:1px solid var(--line);border-radius:10px;padding:1.1rem 1.25rem 1.15rem;margin:0 0 1rem;background:var(--raised)}
.card>.head{display:flex;gap:.15rem .75rem;align-items:baseline;flex-wrap:wrap}
.card>.head h3{flex:1 1 16rem}
.card .where{margin:.15rem 0 0;font-size:.9375rem;color:var(--muted);max-width:none}
.card .why{margin:.55rem 0 0}
.card>.columns{display:grid;grid-template-columns:minmax(0,3fr) minmax(0,2fr);gap:1rem 2.25rem;margin-top:.9rem}
.mend h4,.not-so h4{margin-bottom:.2rem}
.mend p{margin-bottom:.4rem}
.mend dl,.facts{display:grid;align-content:start;grid-template-columns:max-content minmax(0,1fr);gap:.12rem .8rem;font-size:.875rem}
.mend dt,.facts dt{color:var(--muted)}
.places>li{padding:.42rem 0;border-top:1px solid var(--line)}
.places>li:first-child{border-top:0;padding-top:.1rem}
.places .found{display:block;font-size:.875rem;color:var(--muted)}
.places strong{font-weight:600}

.chain{margin:.1rem 0 .2rem}
.chain>li{position:relative;padding:0 0 .95rem 2.35rem;counter-increment:step}
.chain{counter-reset:step}
.chain>li::before{content:counter(step);position:absolute;left:0;top:.05rem;width:1.5rem;height:1.5rem;border:1.5px solid var(--edge);border-radius:50%;
  font-size:.78rem;line-height:1.33rem;text-align:center;font-weight:650;background:var(--raised)}
.chain>li::after{content:"";position:absolute;left:.7rem;top:1.72rem;bottom:.12rem;border-left:1.5px solid var(--edge)}
.chain>li:last-child{padding-bottom:.1rem}
.chain>li:last-child::after{display:none}
.chain>li.end::before{content:"!";background:var(--critical);border-color:var(--critical);color:var(--on-critical)}
.chain .source{display:block;font-size:.8125rem;color:var(--muted)}

details>summary{cursor:pointer}
details.more{margin:.5rem 0 0}
details.more>summary{color:var(--link);font-size:.9375rem;width:fit-content}
details.more[open]>summary{margin-bottom:.5rem}

table{border-collapse:collapse;width:100%;font-size:.9375rem}
th,td{text-align:left;vertical-align:top;padding:.55rem .9rem .55rem 0;border-bottom:1px solid var(--line)}
th{font-size:.8125rem;font-weight:600;color:var(--muted);white-space:nowrap}
tbody th{font-size:.9375rem;color:var(--text);white-space:normal}
td:last-child,th:last-child{padding-right:0}
.count{text-align:right;white-space:nowrap}
.wrap{overflow-x:auto}

.tools{background:var(--surface);border:1px solid var(--line);border-radius:10px;padding:1rem 1.15rem;margin:0 0 1rem}
.fields{display:grid;grid-template-columns:minmax(0,1.5fr) minmax(0,1fr) minmax(0,1fr);gap:.8rem 1.1rem}
.fields label,.tools legend{display:block;font-size:.8125rem;font-weight:600;color:var(--muted);margin-bottom:.2rem;padding:0}
.ticks{display:flex;flex-wrap:wrap;gap:.8rem 2.5rem;margin-top:.85rem}
fieldset{border:0;margin:0;padding:0;min-width:0}
fieldset>div{display:flex;flex-wrap:wrap;gap:.3rem 1.05rem}
.tick{display:inline-flex;align-items:center;gap:.4rem;font-size:.9375rem;min-height:1.75rem;cursor:pointer}
.tick input{width:1.05rem;height:1.05rem;margin:0;accent-color:var(--accent)}
.tick .many{color:var(--muted);font-size:.8125rem}
.bottom{display:flex;flex-wrap:wrap;gap:.5rem .75rem;align-items:center;margin-top:.95rem;padding-top:.85rem;border-top:1px solid var(--line)}
.bottom [role=status]{flex:1 1 16rem;max-width:none;margin:0;font-size:.9375rem}

.group{border:1px solid var(--line);border-radius:10px;margin:0 0 .6rem;background:var(--raised)}
.group>summary{display:grid;grid-template-columns:auto 5.2rem minmax(0,1fr) auto;gap:.1rem .5rem;padding:.65rem 1.1rem .65rem .9rem;
  align-items:baseline;list-style:none}
.group>summary::-webkit-details-marker,.row>summary::-webkit-details-marker{display:none}
.group>summary::before,.row>summary::before{content:"\\25B8";color:var(--muted);width:1.1rem}
.group[open]>summary::before,.row[open]>summary::before{content:"\\25BE"}
.group>summary:hover,.row>summary:hover{background:var(--surface)}
.group>summary{border-radius:10px}
.group>summary h3{font-size:.97rem;font-weight:600}
.group>summary .id{font-size:.8125rem;color:var(--muted)}
.group>summary .counts{display:flex;flex-wrap:wrap;gap:0 .9rem;justify-content:flex-end}
.group>.about{padding:.1rem 1.25rem .9rem 2.5rem;border-bottom:1px solid var(--line)}
.group>.about .columns{display:grid;grid-template-columns:minmax(0,1fr) minmax(0,1fr);gap:.5rem 2.25rem}
.group>.about p{margin-bottom:.4rem}
.row{border-bottom:1px solid var(--line)}
.rows>li:last-child>.row{border-bottom:0}
.row>summary{display:grid;grid-template-columns:auto 8.1rem minmax(0,1fr) minmax(0,1fr);gap:.1rem .5rem;padding:.45rem 1.1rem .45rem 2.4rem;
  align-items:baseline;list-style:none;font-size:.9375rem}
.row .found{color:var(--muted);font-size:.875rem;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.row .in{color:var(--muted)}
.row>.body{padding:.15rem 1.25rem 1rem 3.65rem;font-size:.9375rem}
.row>.body>*{margin:.55rem 0 0}
.proof{border-left:3px solid var(--line);padding-left:.85rem}
.group>.next{padding:.6rem 1.1rem .8rem 2.4rem}

footer{border-top:1px solid var(--line);margin-top:2rem;padding-top:1rem;padding-bottom:2.5rem;color:var(--muted);font-size:.875rem}
footer p{max-width:none;margin-bottom:.3rem}

@media screen and (max-width:60rem){
  .card>.columns,.group>.about .columns{grid-template-columns:minmax(0,1fr)}
  .row>summary{grid-template-columns:auto 8.1rem minmax(0,1fr)}
  .row .found{grid-column:3}
}
@media screen and (max-width:44rem){
  body{font-size:15.5px}
  header,main,footer{padding-left:1rem;padding-right:1rem}
  header{padding-top:1.25rem}
  h1{font-size:1.45rem}
  .figures{grid-template-columns:minmax(0,1fr);gap:1.1rem}
  .figure .number{font-size:2.1rem}
  .fields{grid-template-columns:minmax(0,1fr)}
  .card{padding:.9rem 1rem 1rem}
  .group>summary{grid-template-columns:auto 5.2rem minmax(0,1fr);padding:.6rem .8rem .6rem .6rem}
  .group>summary .title{grid-column:2/-1}
  .group>summary .counts{grid-column:2/-1;justify-content:flex-start}
  .group>.about{padding:.1rem .9rem .8rem}
  .row>summary{grid-template-columns:auto minmax(0,1fr);padding:.5rem .8rem .5rem .6rem}
  .row .place,.row .found{grid-column:2/-1;white-space:normal}
  .row>.body{padding:.1rem .9rem .9rem}
  .group>.next{padding:.6rem .9rem .8rem}
  .stack thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
  .stack table,.stack tbody,.stack tr,.stack td,.stack th{display:block}
  .stack tr{border-bottom:1px solid var(--line);padding:.7rem 0}
  .stack td,.stack tbody th{border:0;padding:.12rem 0;text-align:left}
  .stack td[data-label]{display:grid;grid-template-columns:6.6rem minmax(0,1fr);gap:.6rem}
  .stack td[data-label]::before{content:attr(data-label);color:var(--muted);font-size:.8125rem;padding-top:.1rem}
  .stack td.empty{display:none}
  td .bar{max-width:none}
}
@media (prefers-reduced-motion:no-preference){html{scroll-behavior:smooth}}
"""

_PRINT = f"""
@page{{margin:15mm 13mm}}
@media print{{
:root,:root[data-theme=dark],:root:not([data-theme=light]){{color-scheme:light;{_palette(LIGHT)}}}
"""
_PRINTED = """
body{font-size:9.5pt;line-height:1.45;-webkit-print-color-adjust:exact;print-color-adjust:exact}
header,main,footer{max-width:none;padding-left:0;padding-right:0}
header{padding-top:0}
nav,.tools,.skip,.next,.controls,button,details.more>summary{display:none!important}
section{padding-top:1.1rem}
h1{font-size:18pt}h2{font-size:13pt}h3{font-size:10.5pt}
.small,.facts,.mend dl,table,.places .found,.row>summary,.row>.body{font-size:8.5pt}
.tag,.chain .source,h4,th,.mono{font-size:7.5pt}
h2,section>h2+p,h3,h4,.head,.where,.why,.group>summary,.about{break-after:avoid}
.figure,.chain>li,.places>li,.row,tr,.notice,.mend{break-inside:avoid}
.card .where,tbody th{font-size:9pt}
.card{padding:.7rem .9rem}
.card,.group{border-radius:4px}
.card>.columns,.group>.about .columns{gap:.5rem 1.5rem}
.figure .number{font-size:20pt}
.figures{gap:1rem 1.5rem}
a{color:inherit;text-decoration:none}
th,td{padding:.35rem .6rem .35rem 0}
td .tally{gap:.15rem}
details::details-content{display:block;content-visibility:visible;block-size:auto}
details>summary::before{display:none!important}
.group>summary{grid-template-columns:5rem minmax(0,1fr) auto;padding:.5rem .9rem}
.group>.about{padding:0 .9rem .5rem}
.group>.about p{margin-bottom:.2rem}
.row>summary{grid-template-columns:6.5rem minmax(0,1fr);padding:.3rem .9rem 0}
.row .found{display:none}
.row>.body{display:flex;flex-wrap:wrap;gap:.1rem 1.5rem;padding:.1rem .9rem .4rem 7.9rem}
.row>.body>*{margin:0}
.row>.body>.proof{flex:1 1 100%}
.only-print{display:block!important}
}
"""

STYLE = (_PALETTES + _SCREEN + ".only-print{display:none}" + _PRINT + _PRINTED).strip() + "\n"
