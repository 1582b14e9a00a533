// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel module's coming and going.
 */
#include <errno.h>
#include <fcntl.h>
#include <libkmod.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "module.h"
#include "util.h"

#define REMOVE_TRIES	60
#define REMOVE_PAUSE_MS	250

/**
 * module_loaded() - is the module in the kernel?
 *
 * Return: true if so.
 */
bool module_loaded(void)
{
	return !access("/sys/module/" MODULE_NAME, F_OK);
}

static void say_why_not(int err, struct erecs *errors)
{
	/* Root may be refused too: in a container, or because the kernel takes no more modules. */
	if ((err == EPERM || err == EACCES) && geteuid()) {
		erec_add(errors, NULL,
			 "%s is not loaded, and only root can load it: run 'modprobe %s' as root",
			 MODULE_NAME, MODULE_NAME);
		return;
	}
	switch (err) {
	case ENOENT:
		erec_add(errors, NULL,
			 "%s is not installed for this kernel: run 'make install' in its sources, then 'modprobe %s'",
			 MODULE_NAME, MODULE_NAME);
		break;
	case ENOSYS:
		erec_add(errors, NULL, "%s is not loaded, and this kernel loads no modules",
			 MODULE_NAME);
		break;
	default:
		erec_add(errors, NULL, "%s cannot be loaded: %s; the kernel's log may say more",
			 MODULE_NAME, strerror(err));
	}
}

/* The library would print each try; what went wrong is said here, once. */
static struct kmod_ctx *quiet_context(void)
{
	struct kmod_ctx *ctx = kmod_new(NULL, NULL);

	if (ctx)
		kmod_set_log_priority(ctx, LOG_EMERG);
	return ctx;
}

static int probe(struct kmod_ctx *ctx)
{
	struct kmod_list *list = NULL, *pos;
	int err = kmod_module_new_from_lookup(ctx, MODULE_NAME, &list);

	if (err >= 0 && !list)
		err = -ENOENT;
	kmod_list_foreach(pos, list) {
		struct kmod_module *mod = kmod_module_get_module(pos);

		err = kmod_module_probe_insert_module(mod, KMOD_PROBE_APPLY_BLACKLIST_ALIAS_ONLY,
						      NULL, NULL, NULL, NULL);
		kmod_module_unref(mod);
	}
	kmod_module_unref_list(list);
	return err;
}

/**
 * module_load() - load the module
 * @errors: why not
 *
 * Return: true if it is loaded now.
 */
bool module_load(struct erecs *errors)
{
	struct kmod_ctx *ctx;
	int err;

	if (module_loaded())
		return true;
	ctx = quiet_context();
	err = ctx ? probe(ctx) : -ENOMEM;
	kmod_unref(ctx);
	/* The library takes this error for "loaded already", but the module has met another of its name. */
	if (err >= 0 && !module_loaded())
		err = -EEXIST;
	if (err < 0)
		say_why_not(-err, errors);
	return err >= 0;
}

/* nft frees the objects of a deleted table a little later, and until then they hold the module. */
static int remove_patiently(struct kmod_module *mod)
{
	int err = 0;

	for (int i = 0; i < REMOVE_TRIES; i++) {
		err = kmod_module_remove_module(mod, O_NONBLOCK);
		if (err != -EAGAIN && err != -EBUSY && err != -EWOULDBLOCK)
			return err;
		sleep_ms(REMOVE_PAUSE_MS);
	}
	return err;
}

/**
 * module_remove() - remove the module, waiting a little while it is in use
 * @errors: why not
 *
 * Return: true if it is gone.
 */
bool module_remove(struct erecs *errors)
{
	struct kmod_ctx *ctx = quiet_context();
	struct kmod_module *mod = NULL;
	int err = ctx ? kmod_module_new_from_name(ctx, MODULE_NAME, &mod) : -ENOMEM;

	if (!err)
		err = remove_patiently(mod);
	kmod_module_unref(mod);
	kmod_unref(ctx);
	if (!err || err == -ENOENT)
		return true;
	if (err == -EAGAIN || err == -EBUSY)
		erec_add(errors, NULL,
			 "%s is still in use: another table or network namespace names one of its helpers ('nft list ruleset' shows 'type \"esmtp')",
			 MODULE_NAME);
	else
		erec_add(errors, NULL, "%s cannot be removed: %s", MODULE_NAME, strerror(-err));
	return false;
}
