package words

import "unicode/utf8"

// traditional holds pairs of a traditional character and the simplified one that is written for it: those of technical texts. Characters
// that simplified texts use too (著, 乾) are left out. Words that differ altogether (資料庫, 数据库) are a matter of the topics.
const traditional = "" +
	"萬万與与醜丑專专業业叢丛東东絲丝兩两嚴严喪丧個个豐丰臨临為为麗丽舉举義义烏乌樂乐喬乔習习鄉乡書书買买亂乱爭争虧亏雲云亞亚產产畝亩親亲億亿僅仅從从侖仑倉仓儀仪們们價价眾众優优會会傘伞偉伟傳传傷伤倫伦偽伪體体餘余傭佣僱雇俠侠侶侣僥侥偵侦側侧僑侨儘尽償偿儲储兒儿" +
	"兌兑黨党蘭兰關关興兴養养獸兽內内岡冈冊册寫写軍军農农馮冯衝冲決决況况凍冻淨净準准涼凉減减湊凑凜凛幾几鳳凤憑凭凱凯擊击鑿凿劃划劉刘則则剛刚創创刪删別别剎刹劑剂劍剑劇剧勸劝辦办務务動动勵励勁劲勞劳勢势勳勋匯汇區区醫医華华協协單单賣卖盧卢衛卫卻却廠厂廳厅歷历曆历" +
	"厲厉壓压厭厌廁厕廈厦縣县參参雙双發发髮发變变敘叙疊叠葉叶號号嘆叹嘰叽嚇吓嗎吗啟启吳吴員员唄呗啞哑問问嘗尝嚨咙響响噴喷園园圍围國国圖图圓圆聖圣場场壞坏塊块堅坚壇坛壩坝墳坟墜坠壟垄壘垒墾垦牆墙壯壮聲声殼壳壺壶處处備备復复複复夠够頭头誇夸夾夹奪夺奮奋獎奖奧奥婦妇" +
	"媽妈姍姗嬌娇孫孙學学寧宁寶宝實实寵宠審审憲宪宮宫寬宽賓宾寢寝對对尋寻導导壽寿將将爾尔塵尘層层屆届屬属嶼屿歲岁豈岂島岛嶺岭峽峡崗岗幣币帥帅師师帳帐幟帜帶带幫帮庫库應应廟庙龐庞廢废開开異异棄弃張张彌弥彎弯彈弹強强歸归當当錄录徹彻徑径徵征憶忆懷怀態态慫怂憐怜總总" +
	"戀恋懇恳惡恶惱恼悅悦懸悬驚惊懼惧慘惨慣惯憤愤願愿懶懒戰战戲戏戶户執执擴扩掃扫揚扬擾扰撫抚拋抛搶抢護护報报擔担擬拟攏拢揀拣擁拥攔拦擰拧撥拨擇择掛挂摯挚撓挠擋挡掙挣揮挥撈捞損损撿捡換换據据擲掷攤摊搖摇攝摄攪搅擺摆敵敌數数斷断無无舊旧時时曠旷曉晓暈晕暫暂術术樸朴" +
	"機机殺杀雜杂權权條条來来楊杨極极構构樞枢棗枣槍枪楓枫櫃柜標标棧栈棟栋欄栏樹树樣样橋桥檔档夢梦檢检樓楼橫横櫻樱歡欢歐欧殘残毀毁畢毕氣气漢汉湯汤溝沟沒没滬沪淚泪潑泼澤泽潔洁測测濟济濃浓濤涛渦涡潤润漲涨滲渗溫温灣湾濕湿濾滤濫滥滾滚滿满漸渐滯滞潛潜瀏浏瀉泻滅灭燈灯" +
	"靈灵災灾爐炉點点煉炼爍烁爛烂煩烦燒烧熱热愛爱爺爷牽牵狀状獨独獄狱獲获環环現现瓊琼電电畫画暢畅療疗瘋疯盜盗蓋盖監监盤盘睜睁瞞瞒矚瞩礦矿碼码磚砖確确礎础礙碍禮礼禍祸離离種种積积稱称穩稳窮穷竊窃競竞筆笔築筑籃篮簡简簽签籤签籌筹籠笼類类糧粮緊紧糾纠紅红約约級级紀纪" +
	"純纯綱纲納纳縱纵紛纷紙纸紋纹紡纺紐纽線线組组細细織织終终絆绊紹绍經经結结繞绕繪绘給给絡络絕绝統统繼继績绩續续維维綿绵綜综綠绿緩缓編编緣缘縮缩網网羅罗罰罚聯联聰聪職职聽听膚肤勝胜腦脑臉脸膽胆臟脏腫肿艦舰艙舱艷艳節节蘋苹範范莖茎薦荐藥药蓮莲營营薩萨藝艺蘇苏蝦虾" +
	"蝕蚀補补裝装襲袭裡里見见觀观規规視视覽览覺觉觸触計计訂订認认討讨讓让訊讯議议記记講讲許许論论設设訪访證证評评識识詐诈訴诉診诊詞词譯译試试詩诗話话誕诞詢询詳详語语誤误說说請请諸诸諾诺讀读課课誰谁調调談谈謀谋謊谎謂谓謎谜謝谢謠谣譜谱貝贝負负財财責责賢贤敗败賬账" +
	"貨货質质販贩貪贪貧贫購购貫贯貼贴貴贵貸贷貿贸費费賀贺資资賞赏賠赔賴赖賺赚賽赛贈赠贊赞贏赢趙赵趕赶趨趋躍跃踐践車车軌轨軟软轉转輪轮輕轻載载較较輔辅輛辆輯辑輸输轟轰辭辞邊边遼辽達达遷迁過过運运還还這这進进遠远違违連连遲迟適适選选遞递邏逻遺遗鄧邓鄭郑鄰邻醬酱釋释" +
	"裏里針针釘钉鈕钮鈔钞鉤钩鋼钢鑰钥鉗钳鑽钻鐵铁鈴铃鉛铅鏈链銅铜銀银鋪铺銷销鎖锁鍵键鍋锅鏡镜鐘钟錯错錢钱長长門门閃闪閉闭間间閱阅聞闻閘闸闊阔隊队陽阳陰阴陣阵階阶際际陸陆陳陈險险隨随隱隐隸隶難难雛雏霧雾靜静頁页頂顶項项順顺須须顧顾頓顿預预領领頻频題题顏颜額额顯显" +
	"飛飞飲饮飯饭館馆駕驾驅驱馬马驗验騎骑騙骗駐驻駭骇魚鱼鮮鲜鳥鸟黃黄齊齐齒齿龍龙龜龟後后於于佈布佔占製制臺台檯台週周遊游鬆松鬥斗採采併并並并註注託托迴回颱台係系繫系隻只捨舍誌志禦御緻致錶表衆众爲为啓启綫线牀床羣群衹只囉啰脫脱銳锐稅税團团訓训練练蹤踪貢贡獻献廣广" +
	"彙汇虛虚緒绪藍蓝夥伙顆颗榮荣齡龄縫缝盡尽喚唤閒闲擠挤擱搁鋒锋銜衔錨锚鏽锈綁绑嚐尝軸轴輻辐轄辖郵邮鑒鉴鑑鉴閥阀閾阈韓韩韌韧頒颁顛颠飾饰騰腾驟骤鬧闹魯鲁鴻鸿麥麦濱滨燭烛纏缠翹翘膠胶艱艰蔣蒋襯衬詮诠誠诚謹谨譽誉豬猪賦赋賭赌跡迹蹟迹軀躯輝辉辯辩遙遥鍊链鎮镇閣阁闡阐" +
	"雖虽饋馈駁驳鬚须鹽盐麼么曬晒餅饼湧涌樁桩檻槛誘诱謬谬蟲虫蠟蜡諜谍譴谴貶贬賊贼輟辍轍辙鋸锯鑄铸閏闰闆板陝陕隴陇韻韵顱颅餓饿饑饥駛驶騷骚鯨鲸鵬鹏麵面僞伪兇凶叡睿嘩哗噸吨囑嘱嬰婴懺忏擄掳攬揽斂敛暱昵柵栅欽钦滌涤潰溃澀涩瀕濒燦灿牘牍獵猎瑪玛盞盏矯矫禪禅穎颖竄窜簫箫" +
	"糞粪綴缀縛缚罷罢聾聋腸肠臥卧蕩荡蘊蕴衊蔑訝讶訟讼詛诅詭诡諒谅謙谦"

// hanBase and hanEnd are the range that all of them lie in.
const hanBase, hanEnd = 0x4E00, 0x9FFF

// simplified is the simplified form by character, from hanBase; 0 where the character stays.
var simplified = func() (table [hanEnd - hanBase + 1]uint16) {
	var from rune
	for _, r := range traditional {
		if from == 0 {
			from = r
			continue
		}
		if r != from {
			table[from-hanBase] = uint16(r)
		}
		from = 0
	}
	return table
}()

// simplify is the simplified form of a character between hanBase and hanEnd.
func simplify(r rune) rune {
	if s := simplified[r-hanBase]; s != 0 {
		return rune(s)
	}
	return r
}

// HasTraditional says whether text holds a character that folding changes into a simplified one.
func HasTraditional(text string) bool {
	for k := 0; k < len(text); {
		if text[k] < 0xE4 { // the first byte of hanBase
			k++
			continue
		}
		r, size := utf8.DecodeRuneInString(text[k:])
		if r >= hanBase && r <= hanEnd && simplified[r-hanBase] != 0 {
			return true
		}
		k += size
	}
	return false
}
