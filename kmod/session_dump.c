// SPDX-License-Identifier: GPL-2.0-only
/* The inspected connections of a namespace as netlink messages. */
#include <linux/ktime.h>

#include "netlink.h"
#include "session.h"

/**
 * struct snapshot - a session at one moment
 * @orig: tuple of its entry's original direction
 * @sum: what the engine says
 * @retained: by direction
 */
struct snapshot {
	struct nf_conntrack_tuple orig;
	struct esmtp_summary sum;
	u32 retained[ESMTP_DIRS];
};

static u8 phase_of(const struct esmtp_session *s, u8 of_engine)
{
	if (s->state == SESSION_BYPASS && of_engine != ESMTP_PHASE_TLS)
		return ESMTP_PHASE_UNREAD;
	return of_engine;
}

/* The session's lock is held. Returns false if its entry is gone. */
static bool read_locked(const struct esmtp_session *s, struct snapshot *snap)
{
	enum esmtp_dir dir;

	if (s->state == SESSION_DEAD || !s->ct)
		return false;
	snap->orig = *nf_ct_tuple(s->ct, IP_CT_DIR_ORIGINAL);
	if (s->state == SESSION_CLOSED) {
		snap->sum = (struct esmtp_summary) {
			.phase = ESMTP_PHASE_CLOSED,
		};
	} else {
		esmtp_engine_summary(&s->engine, &snap->sum);
		snap->sum.phase = phase_of(s, snap->sum.phase);
	}
	for (dir = 0; dir < ESMTP_DIRS; dir++)
		snap->retained[dir] = s->flow[dir].retained;
	return true;
}

static bool snapshot(struct esmtp_session *s, struct snapshot *snap)
{
	bool ok;

	spin_lock_bh(&s->lock);
	ok = read_locked(s, snap);
	spin_unlock_bh(&s->lock);
	return ok;
}

static int put_session(struct sk_buff *skb, const struct esmtp_session *s,
		       const struct snapshot *snap)
{
	u32 age = (u32)ktime_get_seconds() - s->born;
	struct nlattr *nest = nla_nest_start(skb, ESMTP_A_SESSION);

	if (!nest ||
	    esmtp_netlink_put_ends(skb, &snap->orig, ESMTP_A_SESSION_FAMILY) ||
	    nla_put_u8(skb, ESMTP_A_SESSION_PHASE, snap->sum.phase) ||
	    nla_put_string(skb, ESMTP_A_SESSION_POLICY, s->policy->name) ||
	    nla_put_u64_64bit(skb, ESMTP_A_SESSION_GENERATION,
			      s->policy->generation->number,
			      ESMTP_A_SESSION_PAD) ||
	    nla_put_u32(skb, ESMTP_A_SESSION_RCPTS, snap->sum.rcpts) ||
	    nla_put_u64_64bit(skb, ESMTP_A_SESSION_MESSAGE, snap->sum.size,
			      ESMTP_A_SESSION_PAD) ||
	    nla_put_u32(skb, ESMTP_A_SESSION_KEPT_CLIENT,
			snap->retained[ESMTP_DIR_CLIENT]) ||
	    nla_put_u32(skb, ESMTP_A_SESSION_KEPT_SERVER,
			snap->retained[ESMTP_DIR_SERVER]) ||
	    nla_put_u32(skb, ESMTP_A_SESSION_AGE, age))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int dump_session(struct sk_buff *skb, const struct netlink_callback *cb,
			struct esmtp_session *s)
{
	struct snapshot snap;
	void *hdr;

	if (!snapshot(s, &snap))
		return 0;
	hdr = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
			  &esmtp_genl_family, NLM_F_MULTI,
			  ESMTP_CMD_SESSION_GET);
	if (!hdr)
		return -EMSGSIZE;
	if (put_session(skb, s, &snap)) {
		genlmsg_cancel(skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);
	return 0;
}

int esmtp_session_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	const struct esmtp_net *en = esmtp_net(sock_net(cb->skb->sk));
	struct esmtp_session_cursor *sent = (void *)cb->ctx, cur = *sent;
	struct esmtp_session *s = NULL;

	BUILD_BUG_ON(sizeof(*sent) > sizeof(cb->ctx));
	while ((s = esmtp_session_next(en, &cur, s))) {
		if (dump_session(skb, cb, s)) {
			/* No room: it comes first in the next message. */
			esmtp_session_put(s);
			return skb->len ? skb->len : -EMSGSIZE;
		}
		*sent = cur;
	}
	*sent = cur;
	return skb->len;
}
