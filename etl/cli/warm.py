"""What the commands of a portfolio load, loaded by being imported: once, by the process that all of theirs are forked from."""

import gc

import pycountry

import etl.cli.progress
import etl.cli.show
import etl.pipeline.connect
import etl.pipeline.dry_run
import etl.pipeline.preflight
import etl.pipeline.reconcile
import etl.pipeline.run

etl.pipeline.connect.load_http()
# Its tables are read when they are first asked for.
pycountry.countries.get(alpha_2="GB")
# What was here before the fork is nobody's garbage: looking for it would copy the memory that all share.
gc.collect()
gc.freeze()
