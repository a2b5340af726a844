"""Text that would act if a page took it for anything but text; `{url}` is a server that counts."""

from __future__ import annotations

from cloudllm import Archive, ArchivedMessage, Message, Role, Status, ToolCall

_RUN = "alert(1);document.title='ran';fetch('{url}/ran')"
_TEXTS = r'''
<script>RUN</script>
<SCRIPT SRC="{url}/a.js"></SCRIPT>
</script><script>RUN</script>
<scr<script>ipt>RUN</scr</script>ipt>
<script src=data:text/javascript,alert(1)></script>
<img src=x onerror="RUN">
<img src="{url}/b.png">
<img srcset="{url}/c.png 1x" src=x>
<IMG """><SCRIPT>RUN</SCRIPT>">
<image href="{url}/d.png" onerror=alert(1)>
<svg onload="RUN"></svg>
<svg><script>RUN</script></svg>
<svg><animate onbegin=alert(1) attributeName=x dur=1s></svg>
<svg><use href="{url}/e.svg#x"/></svg>
<svg></p><style><a id="</style><img src=1 onerror=alert(1)>">
<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">
<noscript><p title="</noscript><img src=x onerror=alert(1)>">
<listing>&lt;img onerror="alert(1);" src=x&gt;</listing>
<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>
<a href="javascript:RUN">click</a>
[click](javascript:alert(1))
[click](JaVaScRiPt:alert(1))
[click](java&#x0A;script:alert(1))
[click](&#106;avascript:alert(1))
[click](<javascript:alert(1)>)
[click](data:text/html,<script>alert(1)</script>)
[click](vbscript:msgbox(1))
[click](file:///etc/passwd)
[click](https://x.example/"onmouseover="alert(1))
[click](https://x.example/ "\"onmouseover=\"alert(1)")
[click](<https://x.example/' onclick='alert(1)>)
![a](javascript:alert(1))
![a]({url}/f.png)
![a"onerror="alert(1)]({url}/g.png "b\"onload=\"alert(1)")
[![x]({url}/h.png)]({url}/i)
<javascript:alert(1)>
<https://x.example/"><script>alert(1)</script>>
[r]: javascript:alert(1)
[r]: {url}/j "x"
<iframe src="{url}/k"></iframe>
<iframe srcdoc="<script>parent.alert(1)</script>"></iframe>
<object data="{url}/l"></object>
<embed src="{url}/m">
<video src="{url}/n" autoplay poster="{url}/o"></video>
<audio src="{url}/p" autoplay onerror=alert(1)></audio>
<base href="{url}/">
<link rel=stylesheet href="{url}/q.css">
<link rel=preload as=image href="{url}/r.png"><link rel=dns-prefetch href="{url}">
<meta http-equiv=refresh content="0;url={url}/s">
<meta http-equiv=refresh content="0;url=javascript:alert(1)">
<meta http-equiv=Content-Security-Policy content="default-src *">
<style>@import "{url}/t.css"; body { background: url({url}/u.png) } * { display: none }</style>
</style><img src=x onerror=alert(1)>
<div style="background: url({url}/v.png); position: fixed; inset: 0">over all</div>
<p style="width: expression(alert(1))">
<form action="{url}/w"><input autofocus onfocus=alert(1)><button formaction="javascript:alert(1)">
<input type=image src="{url}/x.png"><select autofocus onfocus=alert(1)><textarea autofocus onfocus=alert(1)>
<details open ontoggle=alert(1)><summary>x</summary></details>
<marquee onstart=alert(1)>x</marquee>
<body onload=alert(1)>
<body background="{url}/y.png">
<table background="{url}/z.png"><tr><td onmouseover=alert(1)>
<xmp><script>alert(1)</script></xmp>
<plaintext><script>alert(1)</script>
<title></title><script>alert(1)</script>
<textarea></textarea><script>alert(1)</script>
<!-- unclosed comment <script>alert(1)</script>
<!--><script>alert(1)</script>-->
<![CDATA[<script>alert(1)</script>]]>
<?xml-stylesheet href="{url}/aa.css"?><script>alert(1)</script>
<a <b <c "' unclosed
</div></section></article></main></body></html><script>alert(1)</script>
"><script>alert(1)</script>
'><img src=x onerror=alert(1)>
&lt;script&gt;alert(1)&lt;/script&gt;
&#60;script&#62;alert(1)&#60;/script&#62;
`<script>alert(1)</script>`
` `` <img src=x onerror=alert(1)> ``
```"><script>alert(1)</script>
```html onload=alert(1)
~~~
````
| <script>alert(1)</script> | ![a]({url}/bb.png) |
|---|:-:"onload=alert(1)|
# <svg/onload=alert(1)>
\<script\>alert(1)\</script\>
*<b onclick=alert(1)>*
{{constructor.constructor('alert(1)')()}} ${{alert(1)}} <%= alert(1) %>
\u202Egpj.exe\u202C \u2066 \u200B \uFEFF \x00 \x1B[2J \x07 \r \x9B1m \uD800 \U000E0041
'''


def texts(url: str) -> list[str]:
    """Each by itself; `url` is where those that ask for something would ask."""
    lines = _TEXTS.strip().replace("RUN", _RUN).replace("{url}", url).split("\n")
    return [*lines[:-1], lines[-1].encode().decode("unicode-escape")]


def archive(url: str) -> Archive:
    """A conversation with each of them in every place, and all of them as one message."""
    every = texts(url)
    said = [message for number, text in enumerate(every) for message in _everywhere(number, text)]
    said.append(Message(Role.ASSISTANT, "\n".join(every)))
    tree = tuple(
        ArchivedMessage(id=str(n), parent=str(n - 1) if n > 1 else None, message=each, created=n)
        for n, each in enumerate(said, 1)
    )
    title = "".join(text for text in every if "title" in text or "script" in text)
    return Archive(
        id="hostile",
        title=f"</title>{title}",
        model='a/b"><script>alert(1)</script>',
        system_prompt="\n\n".join(every),
        messages=tree,
        head=tree[-1].id,
        created=1,
    )


def _everywhere(number: int, text: str) -> list[Message]:
    call = ToolCall(f"{number}", text, text)
    return [
        Message(Role.USER, text),
        Message(Role.ASSISTANT, f"- > {text}", reasoning=text, tool_calls=(call,), model=text),
        Message(Role.TOOL, text, tool_call_id=call.id),
        Message(Role.ASSISTANT, f"```{text}\n{text}\n", status=Status.PARTIAL, error=text),
    ]
