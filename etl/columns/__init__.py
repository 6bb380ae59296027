"""The fast lane of planning: plain orders, decided by the distinct cells of their columns.

It has no opinion of its own. Every cell is read by the readers of `etl.reading`, once; tax, article and account are
decided by the rules of `etl.transform`, once for each distinct key; amounts are whole numbers of the currency's smallest
unit. What it does not admit goes the way of the rules, and the pipeline plans samples both ways (`pipeline/both_ways`).
"""
