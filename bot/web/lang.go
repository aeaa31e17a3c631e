package web

import (
	"net/http"
	"strconv"
	"strings"
)

// texts are the sentences of the pages in one language.
type texts struct {
	Name, Tagline, Skip, Search, SearchHint, SearchButton, Latest, All, Undated, Items, Issues, Found, FirstShown, Nothing, Near, Also, NoIssues,
	NotFound, NotFoundHint, Home, Feed, OtherLang, Sources, LoadedAt, SourceFailed, By, Links, Original, Newer, Older, Why, Editors, IssueNo, Trend, Allowances, AllowanceLow string
}

var text = map[string]texts{
	"zh": {
		Name: "技术周报", Tagline: "各期内容、话题与搜索", Skip: "跳到正文", Search: "搜索周报内容", SearchHint: "例如 ebpf、双栈 istio", SearchButton: "搜索",
		Latest: "最新各期", All: "全部各期", Undated: "持续更新", Items: "条", Issues: "期", Found: "条结果", FirstShown: "下面是最相关的",
		Nothing: "没有找到。每个词都要出现才算找到，可以少写一个词试试。", Near: "相近的话题：", Also: "另见：", NoIssues: "还没有任何一期内容。",
		NotFound: "没有这个页面", NotFoundHint: "它可能已经改名或被删除。可以搜索，或回到首页。", Home: "首页", Feed: "订阅源（Atom）", OtherLang: "English",
		Sources: "内容来源", LoadedAt: "读取于", SourceFailed: "最近一次读取有误，仍显示之前的内容；原因见运行日志", By: "作者：", Links: "其他链接：", Original: "原文",
		Newer: "较新的", Older: "较早的", Why: "匹配：", Editors: "编辑：", IssueNo: "期号", Trend: "到最新一期为止，这个话题每周出现多少条",
		Allowances: "本月平台调用额度", AllowanceLow: "快用完了",
	},
	"en": {
		Name: "Weekly newsletters", Tagline: "Issues, topics and search", Skip: "Skip to content", Search: "Search the newsletters",
		SearchHint: "for example ebpf, or dual stack istio", SearchButton: "Search", Latest: "Newest issues", All: "All issues", Undated: "kept up to date",
		Items: "items", Issues: "issues", Found: "results", FirstShown: "the most relevant are shown",
		Nothing: "Nothing found. Every word has to occur: try one word less.", Near: "Nearby topics: ", Also: "See also: ", NoIssues: "There is no issue yet.",
		NotFound: "There is no such page", NotFoundHint: "It may have been renamed or deleted. Search for it, or go to the first page.", Home: "Home",
		Feed: "Feed (Atom)", OtherLang: "中文", Sources: "Sources", LoadedAt: "read",
		SourceFailed: "the last reading met a fault, what was there before is shown; the log says why", By: "by ", Links: "More links: ", Original: "Original",
		Newer: "Newer", Older: "Older", Why: "Match: ", Editors: "Editors: ", IssueNo: "No.", Trend: "How many items named this topic, week by week up to the newest issue",
		Allowances: "What platforms allow this month", AllowanceLow: "soon used up",
	},
}

// lang is the language of the answer: what the address says (forced), else what the browser prefers, else the configuration's.
func (s *Server) lang(r *http.Request) (lang string, forced bool) {
	if l := r.URL.Query().Get("lang"); l == "zh" || l == "en" {
		return l, true
	}
	if l := preferred(r.Header.Get("Accept-Language")); l != "" {
		return l, false
	}
	if s.cfg.Lang == "en" {
		return "en", false
	}
	return "zh", false
}

// preferred is the first of our languages by weight in an Accept-Language header; "" when it names none.
func preferred(header string) string {
	best, weight := "", 0.0
	for part := range strings.SplitSeq(header, ",") {
		tag, param, _ := strings.Cut(strings.TrimSpace(part), ";")
		q := 1.0
		if v, ok := strings.CutPrefix(strings.TrimSpace(param), "q="); ok {
			q, _ = strconv.ParseFloat(v, 64)
		}
		base, _, _ := strings.Cut(strings.ToLower(tag), "-")
		if (base == "zh" || base == "en") && q > weight {
			best, weight = base, q
		}
	}
	return best
}
