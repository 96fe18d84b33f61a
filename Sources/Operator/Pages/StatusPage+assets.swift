internal import Hashing

/// Style and script are part of the page. The Content-Security-Policy names them by their hashes and allows nothing
/// else.
///
/// Source: <https://www.w3.org/TR/CSP3/>
extension StatusPage {
  static let securityPolicy = """
    default-src 'none'; style-src \(hash(of: style)); script-src \(hash(of: script)); \
    connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'
    """

  private static func hash(of asset: HTML) -> String {
    let digest = SHA256.hash(Array(asset.text.utf8))
    return "'sha256-\(Base64.string(digest.span))'"
  }

  static let style: HTML = """
    :root{color-scheme:light dark;--back:#fbfbf9;--card:#fff;--line:#dcdcd4;--text:#1d1d1b;--soft:#5b5b55;\
    --good:#126b3a;--bad:#b3261e;--blue:#1f5fa8;--sand:#c9a35a;\
    --r1:#b3261e;--r2:#7a4fa3;--r3:#1d7f7a;--r4:#c2571a}
    @media (prefers-color-scheme:dark){:root{--back:#161614;--card:#1f1f1c;--line:#3a3a35;--text:#ecece6;\
    --soft:#a9a99f;--good:#6fd39a;--bad:#ff9a91;--blue:#6ea8e8;--sand:#a8853f;\
    --r1:#ff9a91;--r2:#c3a2e6;--r3:#6fc9c3;--r4:#f0a068}}
    *{box-sizing:border-box}
    body{margin:0 auto;max-width:66rem;padding:1rem;background:var(--back);color:var(--text);\
    font:1rem/1.5 system-ui,sans-serif}
    header{display:flex;flex-wrap:wrap;gap:0 1rem;align-items:baseline}
    h1{margin:0;font-size:1.5rem}
    h2{margin:0 0 .5rem;font-size:1.1rem}
    h3{margin:0;font-size:1rem}
    p{margin:0}
    a{color:var(--blue)}
    :focus-visible{outline:3px solid var(--blue);outline-offset:2px}
    .skip{position:absolute;left:-99rem}
    .skip:focus{position:static}
    #state{font-size:1.1rem;overflow-wrap:anywhere}
    .notices{margin:.25rem 0;padding-left:1.2rem;color:var(--text);font-size:1rem}
    #lost{flex-basis:100%;color:var(--bad);font-weight:600}
    .good{color:var(--good)}
    .bad{color:var(--bad)}
    .unknown{color:var(--soft)}
    section{margin:1rem 0;padding:1rem;background:var(--card);border:1px solid var(--line);border-radius:.5rem}
    .figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(14rem,1fr));gap:1rem;margin:0}
    dt{color:var(--soft)}
    dd{margin:0}
    dd b{font-size:2.2rem;line-height:1.2}
    dd ul{display:flex;flex-wrap:wrap;gap:0 1rem;margin:0;padding:0;list-style:none;color:var(--soft)}
    figure{margin:1rem 0 0}
    svg{display:block;width:100%;height:7.5rem;border-bottom:1px solid var(--line)}
    rect.offloaded{fill:var(--blue)}
    rect.other{fill:var(--sand)}
    rect.r1{fill:var(--r1)}rect.r2{fill:var(--r2)}rect.r3{fill:var(--r3)}rect.r4{fill:var(--r4)}\
    rect.r5{fill:var(--soft)}
    i.r1{background:var(--r1)}i.r2{background:var(--r2)}i.r3{background:var(--r3)}i.r4{background:var(--r4)}\
    i.r5{background:var(--soft)}
    svg.low{height:5rem}
    svg.bar{height:1.5rem;border:0}
    section h3{margin-top:1rem}
    .needs h3,.pair h3{margin-top:0}
    .soft{color:var(--soft)}
    .reasons{margin:.5rem 0 0;padding:0;list-style:none}
    .reasons i:first-child{margin-left:0}
    figcaption{display:flex;flex-wrap:wrap;justify-content:space-between;gap:0 1rem;color:var(--soft);\
    font-size:.875rem}
    .legend i{display:inline-block;width:.8em;height:.8em;margin:0 .3em 0 .8em}
    i.offloaded{background:var(--blue)}
    i.other{background:var(--sand)}
    .needs{margin:0;padding:0;list-style:none}
    .needs li{display:flex;gap:.75rem;padding:.5rem 0}
    .needs li+li{border-top:1px solid var(--line)}
    .needs p{color:var(--text);overflow-wrap:anywhere}
    .mark{font-size:1.3rem;line-height:1.2;font-weight:700}
    table{width:100%;border-collapse:collapse}
    th,td{padding:.35rem .75rem .35rem 0;text-align:left;vertical-align:top;overflow-wrap:break-word}
    .rows td:nth-child(2){overflow-wrap:anywhere}
    td time,td code{white-space:nowrap}
    th{color:var(--soft);font-weight:600}
    tbody tr{border-top:1px solid var(--line)}
    td.number{font-variant-numeric:tabular-nums}
    td p{color:var(--soft)}
    code{font:.9em ui-monospace,monospace}
    progress{width:10rem;max-width:100%;accent-color:var(--blue)}
    .pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(17rem,1fr));gap:1rem 2rem;align-items:start}
    summary{cursor:pointer}
    footer{color:var(--soft);font-size:.875rem}
    @media (max-width:40rem){body{padding:.5rem}section{padding:.75rem}
    .rows thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
    .rows tr,.rows td{display:block}.rows td{padding:.1rem 0}.rows tbody tr{padding:.4rem 0}
    .rows td[data-label]:not([data-label=""])::before{content:attr(data-label) ": ";color:var(--soft)}}
    """

  static let script: HTML = """
    'use strict';
    const lost = document.getElementById('lost');
    async function refresh() {
      try {
        const answer = await fetch(location.pathname, {cache: 'no-store'});
        if (!answer.ok) throw new Error('status ' + answer.status);
        const next = new DOMParser().parseFromString(await answer.text(), 'text/html');
        document.title = next.title;
        for (const part of document.querySelectorAll('[data-live]')) {
          const fresh = next.getElementById(part.id);
          if (fresh && fresh.innerHTML !== part.innerHTML) part.replaceChildren(...fresh.childNodes);
        }
        lost.hidden = true;
      } catch (error) {
        if (lost.hidden) lost.textContent = 'bloblo does not answer since ' +
          new Date().toLocaleTimeString() + ' (' + error.message + '). What follows is old.';
        lost.hidden = false;
      }
      setTimeout(refresh, document.hidden ? 30000 : 5000);
    }
    setTimeout(refresh, 5000);
    """
}
