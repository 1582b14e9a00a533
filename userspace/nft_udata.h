/* SPDX-License-Identifier: GPL-2.0-only */
/* What the table remembers of the configuration that made it, beside nft's own comment. */
#ifndef ESMTPCTL_NFT_UDATA_H
#define ESMTPCTL_NFT_UDATA_H

/* Far from the types that nft uses. */
enum table_udata {
	TABLE_UDATA_GENERATION = 200,	/* u64 */
	TABLE_UDATA_VERSION = 201,	/* string */
	TABLE_UDATA_PICKUP = 202,	/* u8: pass */
};

#endif
