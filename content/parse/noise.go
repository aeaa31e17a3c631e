package parse

import (
	"strings"
	"unicode/utf8"
)

// These tables hold words that many newsletters use around their news. They are matched against whole headings, or against the start of a
// short line, so that news about the same words stays news.

// What may stand around the words of a heading, a remark, a line and a link.
var (
	headingMarks = marksOf("【】[]「」：:!！.。~ ")
	bracketMarks = marksOf("*_()（）[] ")
	lineMarks    = marksOf("*_>-–—•[(（【 ")
	callMarks    = marksOf("[]()（）「」《》<>：: ")
)

// metaHeadings are headings that hold no news.
var metaHeadings = phraseOf(`(?i)^(?:%s)$`,
	`(?:本期|本周|本刊|责任|特约|周刊|周报)?(?:的)?(?:编辑|主编|责编|作者|编者|撰稿人?|供稿人?|贡献者|编辑团队|作者团队|译者|校对)(?:们|名单|列表|团队|简介|介绍|成员)?`,
	`(?:欢迎)?(?:关注|订阅|联系|加入)(?:我们|方式|本刊|周刊|周报|渠道|与?(?:反馈|投稿|分享|订阅|关注))?`, `(?:如何|怎么|怎样)(?:订阅|投稿|参与|贡献|关注)(?:本刊|周刊|周报|我们)?`,
	`(?:使用|图例|阅读|标记|符号|补充|本期|特别)?(?:说明|声明|图例)`, `版权(?:声明|信息|说明)?`, `免责声明`, `(?:投稿|反馈|勘误|联系)(?:方式|指南|说明|邮箱)?`, `关于(?:我们|本刊|本站|作者|周刊|周报|本周刊|本周报)`,
	`(?:往期|往年|历史|过往|过去)(?:回顾|推荐|内容|文章|周报|周刊|期刊|归档|列表|目录|精选|精彩|好文)?`, `(?:文章)?归档`, `存档`, `(?:本期)?目录`,
	`(?:本期)?(?:赞助|广告|赞助商|赞助者|合作|鸣谢|致谢|感谢|捐赠|打赏|赞赏|支持我们)(?:商|方|名单)?`, `(?:加入)?(?:交流|读者|微信|QQ|讨论|加|进|入)群`, `公众号`, `二维码`, `RSS`, `名词解释`, `术语(?:表|解释)?`,
	`(?:下期|下周|下月|下一期)(?:预告|内容)?`, `next (?:week|issue|time|month)`, `(?:本周)?金句|语录|言论|名言|每周一[言句]`, `结语|尾声|写在最后|最后|后记`,
	`(?:the )?(?:editors?|authors?|contributors?|curators?|maintainers?|credits|team|colophon|imprint|legend|key|disclaimer|license|licence|acknowledge?ments?)`,
	`(?:edited|written|curated) by.{0,60}`, `about(?: (?:us|me|this (?:newsletter|issue|week|publication)|the (?:authors?|editors?|newsletter)))?`,
	`(?:how to )?(?:subscribe|unsubscribe|contribute|support us|follow us|contact(?: us)?|get in touch|connect|stay in touch|share|feedback|submit)(?: .{0,30})?`,
	`(?:past|previous|older|other|earlier) (?:issues|editions|newsletters|posts)`, `(?:the )?archives?`, `(?:table of )?contents`, `toc`,
	`(?:前言|导语|引言|卷首语?|开场白|写在前面|编者按)`, `(?:foreword|preface|editor'?s note|from the editor|welcome)`,
	`(?:how (?:you can|to) (?:help|get involved)|get(?:ting)? involved).{0,20}`,
	`in this (?:issue|edition|email|newsletter|digest)`,
	`(?:our |this week'?s )?(?:sponsors?|sponsored(?: by)?|advertisement|advertising|partners?|supporters|patrons)(?: of the week)?`,
	`(?:a )?(?:word|message|note) from (?:our|the|this week'?s) (?:friends|partners?|sponsors?|supporters).{0,30}`,
	`(?:(?:together|partnered|in partnership|in collaboration) with|presented by|supported by|powered by|brought to you by) .{1,40}`,
	`(?:final|closing|parting) (?:thoughts?|words?|notes?|remarks?)`, `(?:outro|wrap(?:ping)?[- ]?up|until next (?:time|week|month)|one last thing)`,
	`(?:thanks|thank you)(?: .{0,40})?`, `quotes?(?: of the (?:week|month|day|issue))?`, `(?:that'?s|that is) (?:all|it)(?: .{0,30})?`, `glossary`,
	`(?:faq|meta|footer|footnotes|references)`, `(?:参考|引用)(?:资料|文献|链接)`,
)

// contentsHeadings stand above a list of what follows.
var contentsHeadings = phraseOf(`(?i)^(?:%s)$`, `(?:table of )?contents`, `toc`, `in this (?:issue|edition|email|newsletter|digest)`, `(?:本期)?目录`, `本期内容`, `内容目录`)

func isMetaHeading(heading string) bool {
	if len(heading) > 240 {
		return false
	}
	h := strings.TrimSpace(strings.TrimFunc(heading, headingMarks.has))
	return utf8.RuneCountInString(h) <= 60 && metaHeadings.matches(h)
}

// placeholders stand where there is nothing to say.
var placeholders = phraseOf(`(?i)^(?:%s)[.。!！]*$`,
	`(?:no|there (?:are|is|were|was) no) .{0,120}?\b(?:this (?:week|month|issue|time|period)|yet|(?:were|was) (?:submitted|approved|merged|announced|issued|reported|found)|to report|entered)\b.*`,
	`none(?: (?:this|so far).{0,20})?`, `nothing(?: (?:new|this (?:week|month|time)|to (?:report|see|show)|yet|here|today|was .{0,30}))*`, `n/?a`,
	`tbd`, `tba`, `todo`, `to be (?:announced|determined)`, `coming soon`, `empty`, `[-–—.…\s]*`,
	`(?:本(?:周|期|月))?(?:暂无|暂时没有|没有|无)(?:内容|更新|新闻|动态|活动|消息|相关内容)?`, `待(?:补充|定|更新|添加)`, `敬请期待`, `空`,
)

// none begins a remark that there is nothing, when all of it is in emphasis.
var none = phraseOf(`(?i)^%s`, `no `, `there were no `)

// saysNothing reports whether an entry says that there is none. Entries that lead somewhere by their first words never do.
func saysNothing(b *block) bool {
	runs := b.runs
	if len(runs) == 1 && runs[0].url == "" && len(runs[0].text) > 1200 {
		return false
	}
	said := strings.TrimFunc(b.plain(), bracketMarks.has)
	if hasLetter(said) && (len(said) > 400 || placeholders.may(said) == 0 && none.may(said) == 0) {
		return false
	}
	rest := b.shape().lead.rest
	if len(rest) > 0 && rest[0].url != "" && hasLetter(rest[0].text) {
		return false
	}
	if !hasLetter(said) && !hasWebLink(runs) {
		return true
	}
	if strings.HasPrefix(said, "- ") && !hasLetter(said) {
		return true
	}
	if len(rest) > 0 && rest[0].url != "" || len(said) > 400 {
		return false
	}
	if placeholders.matches(said) {
		return true
	}
	return none.matches(said) && allEmphasis(runs)
}

func allEmphasis(runs []run) bool {
	for _, r := range runs {
		if r.look&(em|bold) == 0 && hasLetter(r.text) {
			return false
		}
	}
	return true
}

// around begins lines that surround the news: glossary, archive, sponsor, subscription, and calls to take part.
var around = phraseOf(`(?i)^(?:%s)`,
	`(?:名词|术语)(?:解释|表|说明)`, `(?:本文|本期|本刊|周报|周刊|文章|原文)(?:已)?(?:归档|存档|收录|首发|同步|发布|更新)(?:到|于|在|至)`, `(?:归档|存档|收录)(?:到|于|在|至)`,
	`(?:往期|历史|上期|下期|上一期|下一期)(?:回顾|文章|周报|周刊|内容|预告)?\s*[:：]`,
	`(?:欢迎|请|点击|扫码|扫描|长按|立即|可以|点此)?(?:关注|订阅|投稿|转发|扫码|加入|添加)(?:我们|本刊|周刊|周报|公众号|微信|一下|二维码|交流群|方式|地址|[:：])`,
	`(?:点击|扫描|扫一扫|长按|识别|长按识别|戳)(?:下方|上方|左下角|右上角|文末)?.{0,12}(?:阅读原文|二维码|小程序码|名片|公众号|蓝字)`, `(?:全文)?完[)）]?$`, `(?:the )?end$`,
	`(?:RSS|邮件|邮箱|Telegram|微信|公众号)(?:频道|订阅|地址|群)?\s*[:：]`, `(?:本期|本周|本刊|本周刊|本周报|周刊|周报)由.{0,30}(?:赞助|支持|提供|发布|出品)`,
	`(?:本期)?(?:赞助|广告|感谢|鸣谢).{0,30}(?:赞助|支持|提供)`, `(?:赞助|广告|推广|备注|注|说明|声明|版权|免责声明|转载|勘误|反馈|投稿|联系)(?:商|方式|邮箱|信息|请)?\s*[:：]`,
	`(?:sponsor(?:ed)?(?: by| of)?|advertisement|ad:|promoted by|partnered with|brought to you by|thanks to our)\b`,
	`(?:please )?(?:subscribe|unsubscribe|sign up|follow (?:us|me)|forward(?:ed)? this|share this|join us|reply to (?:this|us|me)|hit reply|update your (?:preferences|profile)|manage your|view (?:this|in|on|online|email)|read (?:this |it )?(?:issue |email )?(?:online|on the web|in (?:your|the|a) browser)|(?:share|like|comments?|restack|tweet)(?:[\s·|/]+(?:share|like|comments?|restack|tweet))+$|was this (?:email|forwarded)|you(?:'re| are) receiving|you (?:received|got) this|want (?:to (?:see|get|be|advertise|contribute)|more|this|something)|(?:got|have) (?:a|an|any|some)? ?(?:tip|story|link|suggestion|question|idea|feedback|something)|copyright|©|\(c\) ?\d|all rights reserved|archives?\b.{0,12}:|powered by)`,
	`(?:this|today's) (?:issue|edition|newsletter|email|week|week's (?:issue|edition|newsletter)) (?:is|was) (?:sponsored|supported|presented|powered|made possible|brought to you)\b`,
	`(?:leave (?:us )?a (?:comment|reply|review|tip)|refer a friend|upgrade to paid|give a gift|start writing)\b`,
	`the post .+ (?:appeared first|was first published) on\b`, `thanks for (?:reading|subscribing|being|sharing|your)\b`,
	`(?:« ?|← ?)?(?:previous|prev|next) (?:week|issue|month|edition)\b`,
	`(?:please )?(?:let us know|send us|submit|suggest|tweet (?:us|at)|email us|contact us|tell us|help us|discuss (?:this |it )?on|contribute to (?:this|the newsletter)|open (?:a|an) (?:pr|issue|pull request)|if you (?:are|would|find|have|want|know|enjoy|like)|thanks to (?:.{2,60} for\b|our|all|every|you\b|the (?:following|team|community|sponsors?|contributors?|editors?))|thank you|special thanks|see you|until next|that'?s (?:all|it)|happy (?:reading|coding|hacking))\b`,
)

// asks finds a wish to the reader anywhere in a short paragraph without a title.
var asks = phraseOf(`(?i)^(?:%s)`,
	`subscribe\b`, `unsubscribe\b`, `submit (?:your|a|tasks|it|them|quotes|more)\b`, `suggestions? (?:and|or|for)\b`, `let us know\b`,
	`pull requests? (?:were|was)\b`, `send (?:us|me) (?:a|an|your)\b`, `follow us\b`, `sign up\b`, `pr to\b`, `订阅`, `投稿`, `公众号`, `扫码`, `二维码`, `请移步`,
	`联系我们`, `欢迎关注`, `转发给`, `提 ?issue`,
)

// isAround reports whether a line surrounds the news.
func isAround(said string) bool {
	return len(said) <= 900 && around.matches(strings.TrimLeftFunc(trimEmoji(cut(said, 200)), lineMarks.has)) && utf8.RuneCountInString(said) <= 300
}

func isAsk(said string) bool { return isAround(said) || holdsWish(said) }

// holdsWish reports whether a short paragraph holds a wish to the reader.
func holdsWish(said string) bool {
	return len(said) <= 1200 && asks.within(said) && utf8.RuneCountInString(said) <= 400
}

// calls are link texts that only say "here it is".
var calls = phraseOf(`(?i)^(?:%s)\s*[.。→»>!！]*$`,
	`请?(?:点击|点此|点|戳)?(?:此处|这里|此|我|查看|阅读|下载|访问|戳|了解|前往|立即)*(?:查看|阅读|下载|访问|了解|在线|参与|报名|投递|申请|体验|试用|观看|收听|加入)?(?:官方|项目|原始)?(?:全文|原文|详情|更多|链接|地址|讨论|文档|网站|在线阅读|在线|报告|文章|视频|回放|官网|项目地址|仓库|代码|源码|译文|博客|幻灯片|资料|公告|来源|出处|直播|更新日志|发布说明|发行说明|PDF|PDF ?下载|PDF ?链接)?(?:链接|地址|阅读|下载)?`,
	`(?:read|learn|see|find out|watch|view|get|view)(?: (?:the|full|it|more|on|all|article|post|story|video|report|announcement|here))*`, `here`,
	`link`, `links?`, `more`, `source`, `details?`, `full (?:story|post|article|report|text)(?: here)?`, `article`, `post`, `video`, `slides`, `code`,
	`repo(?:sitory)?`, `github`, `website`, `pdf`, `download`, `docs`, `announcement`, `release notes`, `changelog`, `continue reading`, `via`, `→`,
	`»`, `>>+`, `apply(?: (?:now|here|for this (?:job|role|position)))?`, `(?:register|rsvp|sign up|join)(?: (?:now|here))?`, `(?:get )?tickets?`, `listen(?: (?:now|here))?`,
	`try (?:it|now)(?: (?:out|now|for free))?`, `comments`, `discuss(?:ion)?`, `demo`, `paper`, `project`,
)

func isCall(text string) bool {
	if len(text) > 120 {
		return false
	}
	text = strings.TrimFunc(squeeze(text), callMarks.has)
	return text != "" && utf8.RuneCountInString(text) <= 30 && calls.matches(text)
}
