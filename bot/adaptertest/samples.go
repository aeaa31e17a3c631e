package adaptertest

import (
	"encoding/base64"
	"strings"

	"weeklybot/bot"
)

// Samples are messages that every adapter must be able to post, by name. Each call gives fresh ones.
func Samples() map[string]bot.Message {
	return map[string]bot.Message{
		"empty":           {Title: "本周没有新内容", Lang: "zh"},
		"one_item":        oneItem(),
		"full_issue":      fullIssue(),
		"cjk_at_limit":    cjkAtLimit(),
		"markup_in_title": markupInTitle(),
		"very_long_link":  veryLongLink(),
		"nested":          nested(),
		"buttons":         buttons(),
		"answer":          answer(),
		"text_only":       textOnly(),
		"with_image":      withImage(),
	}
}

func heading(text string) bot.Block { return bot.Block{Kind: bot.BlockHeading, Text: text} }
func para(text string) bot.Block    { return bot.Block{Kind: bot.BlockText, Text: text} }
func news(title, path, text string) bot.Block {
	return bot.Block{Kind: bot.BlockItem, Title: title, URL: link(path), Text: text}
}

func link(path string) string {
	if path == "" {
		return ""
	}
	return "https://example.org/" + path
}

func oneItem() bot.Message {
	return bot.Message{
		Title:  "Cloud Native Weekly #12",
		Notice: "Cloud Native Weekly #12: one new item",
		Lang:   "en",
		Blocks: []bot.Block{
			news("Gateway API reaches 1.6", "gateway-1-6", "Retries and request mirroring are now part of the standard channel."),
			{Kind: bot.BlockNote, Text: "6 November 2026 · Cloud Native Weekly", Links: []bot.Link{{Text: "Read online", URL: link("weekly/12")}}},
		},
	}
}

func cjkAtLimit() bot.Message {
	sentence := "集群升级之前先看一眼弃用的接口，再决定要不要动手。" // 25 characters
	return bot.Message{
		Title:  strings.Repeat("长标题也要完整", 20) + "到此为止", // 144 characters
		Notice: "长文一篇",
		Lang:   "zh",
		Blocks: []bot.Block{
			heading(strings.Repeat("小标题", 50)), // 150 characters
			news("两千字节的条目", "limit/2048", strings.Repeat(sentence, 27)+"正好两千字节左右。"),    // about 2,048 bytes
			news("四千字节的条目", "limit/4096", strings.Repeat(sentence, 54)+"正好四千字节左右的文字。"), // about 4,096 bytes
			para(strings.Repeat(sentence, 120)), // 3,000 characters
			news(strings.Repeat("一个特别长的条目标题，", 40)+"完。", "limit/title", "标题太长时，余下的部分接着写在正文里。"), // 440 characters
		},
	}
}

func markupInTitle() bot.Message {
	return bot.Message{
		Title:  "周报 *#7* <!channel> & @all [点我](https://example.org/x)",
		Notice: "<@U1> `notice` & more",
		Lang:   "zh",
		Blocks: []bot.Block{
			heading("## 标题里的 **星号** 和 <b>标签</b>"),
			news("Rust 的 `Option<T>` 与 *p = &x | y", "generics", "a < b && c > d；_下划线_、~波浪线~、[方括号](圆括号)、@所有人、100%。"),
			news("Why `kubectl get pods -o=jsonpath='{.items[*]}'` prints nothing", "jsonpath", "Use {\"quotes\"} and back\\slashes\\ with care."),
			para("> 不是引用\n# 不是标题\n- 不是列表\n1. 也不是编号\n---"),
			{Kind: bot.BlockLinks, Links: []bot.Link{{Text: "[更多] <font color=\"red\">", URL: link("more?a=1&b=2#c")}}},
			{Kind: bot.BlockNote, Text: "__脚注__ <at id=all></at>"},
		},
	}
}

func veryLongLink() bot.Message {
	return bot.Message{
		Title: "Links of all lengths",
		Lang:  "en",
		Blocks: []bot.Block{
			news("A link with a tracking tail of 300 bytes", "t?"+strings.Repeat("u=1&", 75)+"end", "Long, and still a link."),
			news("A link of 2,500 bytes", "long/"+strings.Repeat("a", 2475), "Some places do not take this one."),
			news("A link of 9,000 bytes", "huge/"+strings.Repeat("b", 8975), "No place takes this one; its title and text must arrive all the same."),
			para("A bare one: https://example.org/bare/" + strings.Repeat("c", 200) + " and more words after it."),
			news("The last item", "last", ""),
		},
	}
}

func nested() bot.Message {
	under := func(title, path, text string) bot.Block {
		b := news(title, path, text)
		b.Level = 1
		return b
	}
	return bot.Message{
		Title: "Releases 版本发布",
		Lang:  "zh",
		Blocks: []bot.Block{
			heading("Releases"),
			news("Harbour Mesh 2.4", "mesh-2-4", "三个值得升级的理由："),
			under("热重启不再断开长连接", "mesh-2-4/hot-restart", ""),
			under("WASM 插件有了内存上限", "", "默认 64 MiB，可以按路由调整。"),
			under("Config dump is sorted", "mesh-2-4/dump", "So two dumps can be compared line by line."),
			news("", "untitled", "没有标题的条目，只有链接和一句话。"),
			news("没有链接的条目", "", ""),
			{Kind: bot.BlockDivider},
			para("第一行\n第二行\n\n隔了一行的第三行"),
		},
	}
}

func buttons() bot.Message {
	return bot.Message{
		Title:  "Subscribed 订阅成功",
		Lang:   "en",
		Public: true,
		Blocks: []bot.Block{
			para("Every Monday at 09:00 (Asia/Shanghai): ebpf, service mesh."),
			{Kind: bot.BlockLinks, Links: []bot.Link{
				{Text: "Latest issue", URL: link("latest")},
				{Text: "全部往期", URL: link("archive")},
				{Text: "Search", URL: link("search?q=ebpf&lang=en")},
				{Text: "热门话题", URL: link("hot")},
				{Text: "Help", URL: link("help")},
				{Text: "反馈", URL: "https://example.org/feedback#form"},
			}},
		},
	}
}

func answer() bot.Message {
	return bot.Message{
		Title: "「ebpf」最近的 3 条热门内容",
		Lang:  "zh",
		Blocks: []bot.Block{
			news("用 eBPF 给网关做无侵入的延迟剖析", "ebpf/latency", "从内核里直接拿到每一跳的耗时，不改一行业务代码。"),
			{Kind: bot.BlockNote, Text: "2026-11-02 · 云上周刊 第 88 期"},
			news("Tracing Go programs with uprobes: the three traps", "ebpf/uprobes", "Stacks move, symbols vanish, and return probes crash the process."),
			{Kind: bot.BlockNote, Text: "2026-10-26 · Cloud Native Weekly #10"},
			news("四层负载均衡换成 XDP 之后", "ebpf/xdp", ""),
			{Kind: bot.BlockNote, Text: "2026-10-19 · 云上周刊 第 86 期"},
			para("输入 /more 看下一页。"),
		},
	}
}

func textOnly() bot.Message {
	return bot.Message{Lang: "en", Blocks: []bot.Block{para("I do not know that command. Did you mean /hot? Type /help for all of them. 👩‍💻")}}
}

// smallPNG is a picture of eight bars, 48 × 16 pixels.
const smallPNG = "iVBORw0KGgoAAAANSUhEUgAAADAAAAAQAQMAAABqYG7yAAAABlBMVEX29/k/dqYOMeyrAAAAJElEQVR42mNgwAQ2SNQHVIofRNmgUp/P2zAwH0ChzoOpz1go" +
	"AM0DHi4sfW2fAAAAAElFTkSuQmCC"

// withImage is an answer whose text says what its picture shows.
func withImage() bot.Message {
	png, err := base64.StdEncoding.DecodeString(smallPNG)
	if err != nil {
		panic(err) // a constant
	}
	return bot.Message{
		Title: "“WebAssembly”的走势",
		Lang:  "zh",
		Image: &bot.Image{PNG: png, Alt: "“WebAssembly”的走势：到最新一期为止的 8 周，共 65 条 <!channel> @all"},
		Blocks: []bot.Block{
			para("▂▄▃▅▇▄▆█"),
			para("到最新一期为止的 8 周，左旧右新：共 65 条，一周最多 14 条"),
			{Kind: bot.BlockNote, Text: "看内容：/hot WebAssembly"},
		},
	}
}

// fullIssue is a whole issue: sections, nested entries (lines that begin with "-"), notes and links.
func fullIssue() bot.Message {
	msg := bot.Message{
		Title:  "云上周刊 第 88 期：网关、可观测与平台工程",
		Notice: "云上周刊 第 88 期，60 条",
		Lang:   "zh",
		Blocks: []bot.Block{para("本期看三件事：网关标准又进了一步，剖析数据有了统一的格式，平台团队开始算账。\nIn short: gateways, profiles, and what a platform costs.")},
	}
	for line := range strings.Lines(issueLines) {
		fields := strings.Split(strings.TrimSpace(line), " | ")
		if len(fields) == 1 {
			msg.Blocks = append(msg.Blocks, heading(fields[0]))
			continue
		}
		title, inner := strings.CutPrefix(fields[0], "- ")
		b := news(title, "88/"+fields[1], fields[2])
		if inner {
			b.Level = 1
		}
		msg.Blocks = append(msg.Blocks, b)
	}
	return withFooter(msg)
}

func withFooter(msg bot.Message) bot.Message {
	msg.Blocks = append(msg.Blocks,
		bot.Block{Kind: bot.BlockDivider},
		bot.Block{Kind: bot.BlockLinks, Links: []bot.Link{{Text: "在线阅读", URL: link("weekly/88")}, {Text: "Archive", URL: link("weekly")}}},
		bot.Block{Kind: bot.BlockNote, Text: "2026-11-02 · 编辑：本刊编辑组 · 订阅 all，每周一 9:00", Links: []bot.Link{{Text: "退订", URL: link("unsubscribe?id=1&from=footer")}}},
	)
	return msg
}

// issueLines are headings, and items as: title | path | text.
const issueLines = `行业动态
两家云厂商宣布统一网关配置格式 | gateway-format | 同一份路由可以在两边直接生效，迁移工具下个季度开源。
边缘节点数量首次超过中心机房 | edge-count | 报告统计了四十个国家的公开数据，增长主要来自零售和制造业。
Foundation survey: platform teams are now the norm | survey-platform | Seven in ten organisations run one; half of them measure its cost.
开源许可证之争又有新进展 | licence | 社区决定从最后一个自由版本分叉，并成立中立的技术委员会。
Chip maker opens its scheduler extensions | chip-scheduler | Topology hints arrive as ordinary node labels.
一次三小时的 DNS 故障复盘 | dns-outage | 根因是一条早该过期的记录，真正拖长时间的是没有人能登录控制台。
- 时间线 | dns-outage/timeline | 从第一条告警到宣布恢复，共 187 分钟。
- 改进项 | dns-outage/actions | 应急账号离线保管，每季度演练一次。
网络与服务网格
Gateway API 1.6 进入标准通道 | gateway-1-6 | 重试、镜像和会话保持不再是实验特性。
Harbour Mesh 2.4 released | mesh-2-4 | Hot restarts no longer cut long-lived connections.
- Sidecar-less mode is the default | mesh-2-4/ambient | Existing installations keep their mode until told otherwise.
- WASM 插件有了内存上限 | mesh-2-4/wasm | 默认 64 MiB，可以按路由调整。
双栈集群的五个坑 | dual-stack | 服务有两个地址，探针只看一个；这只是开始。
Why your mTLS handshake takes 40 ms | mtls-handshake | Session tickets, and a certificate chain that nobody trimmed.
用 XDP 做四层负载均衡的一年 | xdp-year | 单机吞吐翻了四倍，排障难度也翻了一倍。
多集群服务发现：三种做法的比较 | multi-cluster | DNS、网格和自研注册中心，各有各的运维账单。
HTTP/3 in production: what the graphs show | http3-graphs | Mobile users gain most, and the CPU bill is real.
一个 MTU 引发的血案 | mtu | 大包被悄悄丢弃，小包一切正常，健康检查全绿。
可观测性
剖析数据有了统一格式 | profiles-format | 采样、符号和标签终于可以跨工具交换。
Sampling traces by what went wrong | tail-sampling | Keep all the slow ones, and one in a thousand of the rest.
告警降噪：从每天三百条到十二条 | alert-noise | 合并、抑制和负责人轮值，少一样都不行。
用 eBPF 给网关做无侵入的延迟剖析 | ebpf-latency | 从内核里直接拿到每一跳的耗时，不改一行业务代码。
日志该存多久？一份成本测算 | log-retention | 三十天热数据加一年冷数据，费用相差二十倍。
Metrics cardinality, explained with a wardrobe | cardinality | Every label is another shelf.
仪表盘也需要代码评审 | dashboards | 面板放进仓库之后，重复的查询少了一半。
On-call handbook, second edition | on-call | New chapters on handovers and on saying no.
存储与数据库
分布式缓存的一致性实验 | cache-consistency | 断网、时钟漂移、进程暂停，逐个来一遍。
Snapshots are not backups | snapshots | A story in four acts and one deleted volume.
对象存储的列目录为什么慢 | list-objects | 前缀、分页和删除标记的账。
PostgreSQL on Kubernetes: two years later | postgres | What we would do again, and what we would not.
- Operators compared | postgres/operators | Backups are where they differ most.
- 故障切换的真实耗时 | postgres/failover | 中位数九秒，最差的一次四分钟。
向量检索进入通用数据库 | vector | 不再需要为十万条数据单独部署一套系统。
日志结构合并树的写放大 | lsm | 用一张图讲清楚层数和放大系数的关系。
安全
供应链签名：从能签到会验 | supply-chain | 签名覆盖率九成，验证率不到两成。
A token in a log line, and how it got there | token-log | The error type printed the whole URL.
容器逃逸漏洞的缓解办法 | escape | 升级运行时；来不及的话先关掉一个挂载选项。
Policy as code without tears | policy | Start in audit mode, and count before you block.
零信任不是买来的 | zero-trust | 先把服务清单弄清楚，再谈其他。
机密计算的性能开销 | confidential | 内存密集型负载慢百分之八，其余几乎测不出。
SBOM 格式转换踩坑记 | sbom | 许可证字段是重灾区。
平台工程
平台团队开始算账 | platform-cost | 按部署次数分摊，比按核数分摊更公平。
Golden paths, paved by the people who walk them | golden-paths | Ask for pull requests, not for tickets.
内部开发者门户的第一百天 | portal | 插件越多越没人用，最后只留下了三个。
Ephemeral environments for every pull request | ephemeral | Eleven minutes to six, thanks to snapshots.
- 数据库怎么办 | ephemeral/database | 写时复制的克隆，三秒可用。
GitOps 的回滚到底回滚了什么 | rollback | 配置回去了，数据没有。
Monorepo 构建提速实录 | monorepo | 远程缓存命中率从四成提到九成。
把季度容量规划变成每周例行 | capacity | 模型很简单，难的是拿到干净的数据。
AI 与调度
推理服务的弹性伸缩 | inference | 冷启动要拉四十 GB 的权重，缓存放哪里是关键。
GPU sharing: slices, time, or trust | gpu-sharing | A benchmark of the three, with the noisy neighbour included.
批处理队列进入核心调度器 | batch | 成组调度不再需要第二个调度器。
大模型网关要管的五件事 | llm-gateway | 限额、缓存、审计、降级和计费。
Training jobs that survive a node drain | drain | Checkpoint on the eviction signal, resume within a minute.
小模型在边缘：一次真实部署 | edge-model | 断网也能用，更新包不超过两兆。
社区与活动
十二月线上分享会报名 | meetup | 三个议题，全程录像。
First-timers' issues worth a weekend | first-issues | Picked by maintainers who promise a review in two days.
新书推荐：把系统讲给新人听 | book | 一章一个故障，附练习。
Conference call for papers closes on Friday | cfp | Half of the slots go to first-time speakers.
译者招募 | translators | 每周一篇，两人一组，互相校对。
`
